//! The whole server: certificate, sources, both ports, and an orderly end.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server as ActixServer;
use actix_web::{App, HttpServer};
use mimic_core::internal::Globs;
use mimic_core::{Catalog, Hint, MirrorSource, Problem, RuleList};
use mimic_k8s::cluster::{Cluster, ConnectError, in_pod, own_namespace};
use openssl::error::ErrorStack;

use crate::certificate::{CertificateError, CertificateFiles, FollowedSecret, Keeper, Managed, self_signed};
use crate::config::{CertificateOrigin, Listen, Settings};
use crate::health::Health;
use crate::http::stack::{self, Stack};
use crate::http::{self, State};
use crate::metrics::Metrics;
use crate::shutdown::{self, Phase, PhaseSender, Signals};
use crate::sources::{self, Configured, Runner};
use crate::tls::Serving;
use crate::tuning::Tuning;

/// A server that is about to be started.
pub struct Server {
    settings: Settings,
    example: Option<String>,
    sources: Vec<Arc<dyn MirrorSource>>,
    pub(crate) tuning: Tuning,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The mirrors that the settings name are wrong.
    #[error("{} mistakes in the mirrors", .0.len())]
    Mirrors(Vec<Problem>),
    /// There is no certificate to serve.
    #[error("certificate")]
    Certificate(#[from] CertificateError),
    /// The settings need a cluster, and there is no way to one.
    #[error("cluster")]
    Cluster(#[from] ConnectError),
    /// A port cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Which.
        address: String,
        /// Why.
        error: io::Error,
    },
    /// The metrics contradict each other.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
    /// The system refused something else.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl Hint for StartError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Cluster(ConnectError::NotFound(_)) => Some(
                "to run without a cluster set `MIMIC_KUBERNETES_ENABLED=false`, and `MIMIC_CERTIFICATE_SOURCE` to `file` \
                 or `selfsigned`"
                    .into(),
            ),
            _ => None,
        }
    }
}

impl From<ErrorStack> for StartError {
    fn from(error: ErrorStack) -> Self {
        Self::Certificate(error.into())
    }
}

impl Server {
    /// A server with these settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings, example: None, sources: Vec::new(), tuning: Tuning::default() }
    }

    /// Uses the mirrors of this `mirrors.yaml` when the settings name none.
    #[must_use]
    pub fn example(mut self, text: impl Into<String>) -> Self {
        self.example = Some(text.into());
        self
    }

    /// Adds a source, after those that the settings name.
    #[must_use]
    pub fn source(mut self, source: Arc<dyn MirrorSource>) -> Self {
        self.sources.push(source);
        self
    }

    /// Checks what the settings refer to, the files with mirrors and the certificate, and returns every problem.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = sources::from_settings(&self.settings, self.example.as_deref()).err().unwrap_or_default();
        problems.extend(sources::from_harbors(&self.settings).err().unwrap_or_default());
        if self.settings.certificate.source == CertificateOrigin::File {
            let namespace = own_namespace(&self.settings.kubernetes.namespace);
            let files = certificate_files(&self.settings, namespace.as_deref());
            problems.extend(files.load().err().map(|error| Problem::new("certificate", error.to_string())));
        }
        problems
    }

    /// Reads the certificate and the mirrors, finds the cluster if the settings need one, and opens both ports. Needs an
    /// actix runtime.
    ///
    /// # Errors
    ///
    /// [`StartError`], when the server could not do its work.
    pub async fn start(self) -> Result<Running, StartError> {
        let Self { settings, example, sources: extra_sources, tuning } = self;
        let cluster = cluster(&settings).await?;
        let namespace = match &cluster {
            Some(cluster) => Some(cluster.namespace().to_owned()),
            None => own_namespace(&settings.kubernetes.namespace),
        };
        let sources = configured(&settings, example.as_deref(), cluster.as_ref(), extra_sources)?;

        let catalog = Arc::new(Catalog::new(sources.iter().map(Configured::name)));
        let health = Arc::new(Health::new(Arc::clone(&catalog), settings.startup));
        let metrics = Arc::new(Metrics::new(&catalog, &health)?);
        let serving = Arc::new(Serving::default());
        let keeper = Keeper::new(Arc::clone(&serving), Arc::clone(&health));
        certificate(&settings, cluster.as_ref(), namespace.as_deref(), keeper)?;

        let Tuning { workers, extra, linger } = tuning;
        let workers = workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let listener = listen(&settings.listen)?;
        let address = listener.local_addr()?;
        let admin_listener = settings.admin.as_ref().map(listen).transpose()?;
        let admin_address = admin_listener.as_ref().map(TcpListener::local_addr).transpose()?;

        follow(sources, &Runner::new(Arc::clone(&catalog), Arc::clone(&health), Arc::clone(&metrics)));
        tokio::task::spawn_local(announce_degradation(Arc::clone(&health), settings.startup));

        let reviews = review_settings(&settings);
        let state = State::new(catalog, Arc::clone(&health), Arc::clone(&metrics), reviews, settings.limits);
        let (phase, phases) = shutdown::phases();
        let stack = Stack {
            acceptor: serving.acceptor()?,
            state: Arc::new(state),
            metrics: Arc::clone(&metrics),
            limits: settings.limits,
            linger: linger.unwrap_or(stack::LINGER),
            workers,
            phases,
            extra,
        };
        let webhook = stack::serve(listener, stack)?;
        let admin = admin_listener.map(|listener| serve_admin(listener, &health, &metrics)).transpose()?;
        log::info!(address:%, workers; "webhook listening");
        if let Some(address) = admin_address {
            log::info!(address:%; "second port listening");
        }
        Ok(Running { address, admin_address, webhook, admin, health, phase, drain: settings.drain })
    }
}

/// The cluster, if anything in the settings needs one.
async fn cluster(settings: &Settings) -> Result<Option<Cluster>, ConnectError> {
    let certificate = matches!(settings.certificate.source, CertificateOrigin::Kubernetes | CertificateOrigin::Managed);
    if !certificate && !settings.kubernetes.enabled {
        return Ok(None);
    }
    let cluster = Cluster::connect(&settings.kubernetes.namespace).await?;
    log::info!(server = cluster.address(), namespace = cluster.namespace(); "cluster found");
    Ok(Some(cluster))
}

/// All sources in order of precedence.
fn configured(
    settings: &Settings,
    example: Option<&str>,
    cluster: Option<&Cluster>,
    extra: Vec<Arc<dyn MirrorSource>>,
) -> Result<Vec<Configured>, StartError> {
    let mut sources = sources::from_settings(settings, example).map_err(StartError::Mirrors)?;
    sources.extend(cluster.and_then(|cluster| sources::from_cluster(settings, cluster)));
    sources.extend(sources::from_harbors(settings).map_err(StartError::Mirrors)?);
    let watch = settings.watch_mirrors;
    sources.extend(extra.into_iter().map(|source| Configured::Asked { source, watch, first: None }));
    if sources.is_empty() {
        log::warn!("no source of mirrors is configured, so no image will be rewritten");
    }
    Ok(sources)
}

/// Publishes what is there and starts to follow every source.
fn follow(sources: Vec<Configured>, runner: &Runner) {
    let publish = |name: &str, rules| runner.publish(name, RuleList { rules, problems: Vec::new() });
    for configured in sources {
        match configured {
            Configured::Fixed(name, rules) => publish(name, rules),
            Configured::Asked { source, watch, first } => {
                let loaded = first.is_some();
                if let Some(rules) = first {
                    publish(source.name(), rules);
                }
                tokio::task::spawn_local(runner.clone().follow(source, watch, loaded));
            }
        }
    }
}

/// Takes up the first certificate, unless that is still to come from the cluster, and starts to follow what may be replaced.
fn certificate(
    settings: &Settings,
    cluster: Option<&Cluster>,
    namespace: Option<&str>,
    keeper: Keeper,
) -> Result<(), StartError> {
    tokio::task::spawn_local(keeper.clone().announce_end());
    match (settings.certificate.source, cluster) {
        (CertificateOrigin::Kubernetes, Some(cluster)) => {
            let host = settings.certificate.host(cluster.namespace());
            let secret = FollowedSecret::new(cluster, &settings.kubernetes.cert_secret, host, keeper);
            tokio::task::spawn_local(secret.follow());
        }
        (CertificateOrigin::Managed, Some(cluster)) => {
            tokio::task::spawn_local(Managed::new(cluster, settings, keeper).keep());
        }
        (CertificateOrigin::File, _) => {
            let files = certificate_files(settings, namespace);
            keeper.take_up(&files.load()?)?;
            tokio::task::spawn_local(files.follow(keeper));
        }
        // The other two find their cluster, or the start has failed by now.
        (CertificateOrigin::SelfSigned | CertificateOrigin::Kubernetes | CertificateOrigin::Managed, _) => {
            keeper.take_up(&self_signed(namespace)?)?;
        }
    }
    Ok(())
}

/// The files with the certificate. In a pod they have to be for the Service; elsewhere nobody knows who calls, or how.
fn certificate_files(settings: &Settings, namespace: Option<&str>) -> CertificateFiles {
    let certificate = &settings.certificate;
    let host = namespace.filter(|_| in_pod()).and_then(|namespace| certificate.host(namespace));
    CertificateFiles::new(&certificate.cert_file, &certificate.key_file, host)
}

/// Says once, when waiting for the sources is over, which did not come.
async fn announce_degradation(health: Arc<Health>, startup: Duration) {
    tokio::time::sleep(startup).await;
    let missing = health.missing_sources();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        log::warn!(missing = missing.as_str(); "serving without sources that have not loaded in time");
    }
}

fn review_settings(settings: &Settings) -> mimic_k8s::admission::ReviewSettings {
    // That of a kubeconfig's context is somebody's, but not one that Mimic runs in.
    let own = own_namespace(&settings.kubernetes.namespace);
    let excluded = settings.excluded_namespaces.iter().cloned().chain(own);
    // Both were checked where they were read.
    let excluded_namespaces = Globs::new(excluded).unwrap_or_default();
    mimic_k8s::admission::ReviewSettings { annotate: settings.annotate, dry_run: settings.dry_run, excluded_namespaces }
}

fn listen(listen: &Listen) -> Result<TcpListener, StartError> {
    TcpListener::bind((listen.host.as_str(), listen.port))
        .map_err(|error| StartError::Listen { address: format!("{}:{}", listen.host, listen.port), error })
}

fn serve_admin(listener: TcpListener, health: &Arc<Health>, metrics: &Arc<Metrics>) -> Result<ActixServer, StartError> {
    let (health, metrics) = (Arc::clone(health), Arc::clone(metrics));
    let app = move || App::new().configure(|app| http::configure_admin(app, &health, &metrics));
    let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(1).listen(listener)?;
    Ok(server.run())
}

/// A server whose ports are open.
pub struct Running {
    address: SocketAddr,
    admin_address: Option<SocketAddr>,
    webhook: ActixServer,
    admin: Option<ActixServer>,
    health: Arc<Health>,
    phase: PhaseSender,
    drain: Duration,
}

impl Running {
    /// Where the webhook listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the second port listens, unless it is off.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// The server's health.
    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// Serves until a signal; then is unready, keeps serving for the drain period, finishes what is in flight and
    /// returns. After a second signal it returns at once, and what is still in flight ends with the process.
    ///
    /// # Errors
    ///
    /// When a listener fails.
    pub async fn until(self, mut signals: Signals) -> io::Result<()> {
        let Self { webhook, admin, health, phase, drain, .. } = self;
        let handle = webhook.handle();
        let admin_handle = admin.as_ref().map(ActixServer::handle);
        let mut webhook = tokio::task::spawn_local(webhook);
        // Its end says nothing that the webhook's does not.
        admin.map(tokio::task::spawn_local);

        let signal = tokio::select! {
            ended = &mut webhook => return ended.map_err(io::Error::other)?,
            signal = signals.next() => signal,
        };
        health.drain();
        phase.enter(Phase::Draining);
        log::info!(signal, drain:?; "leaving: unready from now on, still serving");
        let orderly = async {
            tokio::time::sleep(drain).await;
            phase.enter(Phase::Finishing);
            handle.stop(true).await;
        };
        let hurried = tokio::select! {
            () = orderly => false,
            _ = signals.next() => true,
        };
        if hurried {
            // To ask the listener to stop at once would be of no use: it is busy stopping in order.
            log::warn!("second signal, leaving at once");
            return Ok(());
        }
        if let Some(admin) = admin_handle {
            admin.stop(false).await;
        }
        log::info!("left");
        Ok(())
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("address", &self.address).finish_non_exhaustive()
    }
}
