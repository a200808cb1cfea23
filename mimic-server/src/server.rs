//! The whole server: certificate, sources, webhook port, admin port, and shutdown.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server as ActixServer;
use actix_web::{App, HttpServer};
use mimic_core::internal::Globs;
use mimic_core::{Catalog, Hint, MirrorSource, Problem};
use mimic_k8s::admission::ReviewSettings;
use mimic_k8s::cluster::{Cluster, ConnectError, in_pod, own_namespace};
use mimic_k8s::policy::PolicySettings;
use openssl::error::ErrorStack;

use crate::certificate::{
    CertificateError, CertificateFiles, CertificateInstaller, CertificatePolicy, ClientCaFile, ManagedCertificate,
    WatchedSecret, self_signed,
};
use crate::health::Health;
use crate::heartbeat;
use crate::http::stack::{self, Stack};
use crate::http::{self, State};
use crate::metrics::Metrics;
use crate::policy::{Compiler, PolicyKeeper};
use crate::resources::{self, Allowance};
use crate::settings::{CertificateOrigin, Listen, Settings};
use crate::signals::Signals;
use crate::sources::{self, ConfiguredSource, Example, Host, Runner, SourceSettings};
use crate::tls::Serving;
use crate::tuning::Tuning;

/// A server that can be started.
pub struct Server {
    settings: Settings,
    example: Option<String>,
    sources: Vec<Arc<dyn MirrorSource>>,
    pub(crate) tuning: Tuning,
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configured mirrors have errors.
    #[error("{} errors in the mirror configuration", .0.len())]
    Mirrors(Vec<Problem>),
    /// There is no certificate to serve.
    #[error("certificate")]
    Certificate(#[from] CertificateError),
    /// The CA for clients cannot be used.
    #[error("client CA")]
    ClientCa(#[source] CertificateError),
    /// The settings need a cluster, and it cannot be used.
    #[error("cluster")]
    Cluster(#[from] ConnectError),
    /// A port cannot be opened.
    #[error("cannot listen on {address}")]
    Listen {
        /// Host and port.
        address: String,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// Two metrics have the same name: a bug.
    #[error("cannot register the metrics")]
    Metrics(#[from] prometheus::Error),
    /// The operating system refused something else.
    #[error("operating system error")]
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
            Self::Certificate(error) | Self::ClientCa(error) => error.hint(),
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

    /// Uses the mirrors of this `mirrors.yaml` if no source outside of the cluster is configured.
    #[must_use]
    pub fn example(mut self, text: impl Into<String>) -> Self {
        self.example = Some(text.into());
        self
    }

    /// Adds a source, after the configured ones.
    #[must_use]
    pub fn source(mut self, source: Arc<dyn MirrorSource>) -> Self {
        self.sources.push(source);
        self
    }

    /// Checks what the settings refer to, the files with mirrors and the certificate, and returns every problem.
    pub fn check(&self) -> Vec<Problem> {
        let host = Host { cluster: None, watch: self.settings.watch_mirrors };
        let mut problems = sources::open(&self.configured_sources(), &host).err().unwrap_or_default();
        if self.settings.certificate.source == CertificateOrigin::File {
            let namespace = own_namespace(&self.settings.namespace);
            let files = certificate_files(&self.settings, namespace.as_deref());
            let error = files.load_blocking().err();
            problems.extend(error.map(|error| Problem::from_error("certificate", &error)));
        }
        let error = client_ca_file(&self.settings).and_then(|file| file.load_blocking().err());
        problems.extend(error.map(|error| Problem::from_error("client CA", &error)));
        problems
    }

    /// What [`check`](Self::check) finds that does not prevent the start.
    pub fn check_warnings(&self) -> Vec<Problem> {
        if self.settings.certificate.source != CertificateOrigin::File {
            return Vec::new();
        }
        certificate_files(&self.settings, None).exposure().into_iter().collect()
    }

    /// The configured sources, after the example mirrors if those are used.
    fn configured_sources(&self) -> Vec<Arc<dyn SourceSettings>> {
        let configured = &self.settings.sources;
        let example = self.example.clone().filter(|_| configured.iter().all(|source| source.needs_cluster()));
        let example = example.map(|text| Arc::new(Example(text)) as Arc<dyn SourceSettings>);
        example.into_iter().chain(configured.iter().cloned()).collect()
    }

    /// Reads the certificate and the mirrors, connects to the cluster if the settings need one, and opens the ports. Needs
    /// an actix runtime.
    ///
    /// # Errors
    ///
    /// [`StartError`], when the server would not work.
    pub async fn start(self) -> Result<Running, StartError> {
        let configured = self.configured_sources();
        let Self { settings, example: _, sources: extra_sources, tuning } = self;
        let cluster = cluster(&settings).await?;
        let namespace = match &cluster {
            Some(cluster) => Some(cluster.namespace().to_owned()),
            None => own_namespace(&settings.namespace),
        };
        let sources = open(configured, cluster.clone(), settings.watch_mirrors, extra_sources).await?;

        let catalog = Arc::new(Catalog::new(sources.iter().map(ConfiguredSource::name)));
        let health = Health::new(Arc::clone(&catalog), settings.startup);
        let health = Arc::new(health.patience(tuning.patience.unwrap_or(heartbeat::PATIENCE)));
        let metrics = Arc::new(Metrics::new(&catalog, &health)?);
        let serving = Arc::new(Serving::default());
        let installer = CertificateInstaller::new(Arc::clone(&serving), Arc::clone(&health));
        certificate(&settings, cluster.as_ref(), namespace.as_deref(), installer).await?;

        let Tuning { workers, extra, linger, handshake, patience: _ } = tuning;
        let workers = workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let listener = listen(&settings.listen)?;
        let address = listener.local_addr()?;
        let admin_listener = settings.admin.as_ref().map(listen).transpose()?;
        let admin_address = admin_listener.as_ref().map(TcpListener::local_addr).transpose()?;

        let runner = Runner::new(Arc::clone(&catalog), Arc::clone(&health), Arc::clone(&metrics));
        if let (Some(policy), Some(cluster)) = (&settings.policy, &cluster) {
            let ReviewSettings { annotate, excluded_namespaces, .. } = review_settings(&settings);
            let compiler = Compiler::new(PolicySettings { name: policy.name.clone(), annotate, excluded_namespaces });
            let (catalog, health) = (Arc::clone(&catalog), Arc::clone(&health));
            let keeper = PolicyKeeper::new(cluster, &settings, policy, compiler, catalog, health, runner.published());
            tokio::task::spawn_local(keeper.run());
        }
        runner.run(sources);
        tokio::task::spawn_local(announce_degradation(Arc::clone(&health), settings.startup));

        let reviews = review_settings(&settings);
        let allowance = Allowance::of_process(&settings.limits, workers * stack::EXTRA)?;
        let state = State::new(catalog, Arc::clone(&health), Arc::clone(&metrics), reviews, settings.limits);
        let stack = Stack {
            acceptor: serving.acceptor()?,
            state: Arc::new(state),
            metrics: Arc::clone(&metrics),
            limits: settings.limits,
            allowance,
            health: Arc::clone(&health),
            linger: linger.unwrap_or(stack::LINGER),
            handshake: handshake.unwrap_or(stack::HANDSHAKE),
            workers,
            extra,
        };
        let webhook = stack::serve(listener, stack)?;
        let admin = admin_listener.map(|listener| serve_admin(listener, &health, &metrics)).transpose()?;
        log::info!(address:%, workers; "webhook listening");
        if let Some(address) = admin_address {
            log::info!(address:%; "admin port listening");
        }
        Ok(Running { address, admin_address, webhook, admin, health, drain: settings.drain })
    }
}

/// The cluster, if a setting needs one.
async fn cluster(settings: &Settings) -> Result<Option<Cluster>, ConnectError> {
    if !settings.needs_cluster() {
        return Ok(None);
    }
    let cluster = Cluster::connect(&settings.namespace).await?;
    log::info!(server = cluster.address(), namespace = cluster.namespace(); "using cluster");
    Ok(Some(cluster))
}

/// Creates all sources, in order of precedence. Files are read on another thread: a disk that hangs must not delay a
/// signal.
async fn open(
    configured: Vec<Arc<dyn SourceSettings>>,
    cluster: Option<Cluster>,
    watch: bool,
    extra: Vec<Arc<dyn MirrorSource>>,
) -> Result<Vec<ConfiguredSource>, StartError> {
    let open = move || sources::open(&configured, &Host { cluster: cluster.as_ref(), watch });
    let opened = tokio::task::spawn_blocking(open).await.map_err(io::Error::from)?;
    let mut sources = opened.map_err(StartError::Mirrors)?;
    sources.extend(extra.into_iter().map(|source| ConfiguredSource::Loaded { source, watch, first: None }));
    if sources.is_empty() {
        log::warn!("no mirror source configured; images are not rewritten");
    }
    Ok(sources)
}

/// Installs the first certificate, unless it comes from the cluster, and starts to watch for new ones.
async fn certificate(
    settings: &Settings,
    cluster: Option<&Cluster>,
    namespace: Option<&str>,
    installer: CertificateInstaller,
) -> Result<(), StartError> {
    tokio::task::spawn_local(installer.clone().announce_expiry());
    // Before the certificate, without which no client is served.
    if let Some(file) = client_ca_file(settings).map(Arc::new) {
        let authorities = file.load().await.map_err(StartError::ClientCa)?;
        installer.install_client_ca(authorities).map_err(StartError::ClientCa)?;
        tokio::task::spawn_local(file.watch(installer.clone()));
    }
    let certificate = &settings.certificate;
    match (certificate.source, cluster) {
        (CertificateOrigin::Kubernetes, Some(cluster)) => {
            let host = certificate.host(cluster.namespace());
            let secret = WatchedSecret::new(cluster, &certificate.secret, host, installer);
            tokio::task::spawn_local(secret.watch());
        }
        (CertificateOrigin::Managed, Some(cluster)) => {
            let policy = CertificatePolicy {
                service: certificate.service.clone(),
                namespace: cluster.namespace().to_owned(),
                leaf: certificate.validity,
                ca: certificate.ca_validity,
            };
            let managed =
                ManagedCertificate::new(cluster, &certificate.secret, &certificate.webhook, policy, installer);
            tokio::task::spawn_local(managed.run());
        }
        (CertificateOrigin::File, _) => {
            let files = Arc::new(certificate_files(settings, namespace));
            installer.install(&files.load().await?)?;
            tokio::task::spawn_local(files.watch(installer));
        }
        // `Kubernetes` and `Managed` do not get here: without a cluster, startup has failed already.
        (CertificateOrigin::SelfSigned | CertificateOrigin::Kubernetes | CertificateOrigin::Managed, _) => {
            installer.install(&self_signed(namespace)?)?;
        }
    }
    Ok(())
}

/// The files with the certificate. In a pod it must be valid for the Service; elsewhere the host name is not known.
fn certificate_files(settings: &Settings, namespace: Option<&str>) -> CertificateFiles {
    let certificate = &settings.certificate;
    let host = namespace.filter(|_| in_pod()).and_then(|namespace| certificate.host(namespace));
    CertificateFiles::new(&certificate.cert_file, &certificate.key_file, host)
}

/// The file with the CA of clients, if set.
fn client_ca_file(settings: &Settings) -> Option<ClientCaFile> {
    let path = &settings.certificate.client_ca;
    (!path.as_os_str().is_empty()).then(|| ClientCaFile::new(path))
}

/// Logs the sources that did not load in time.
async fn announce_degradation(health: Arc<Health>, startup: Duration) {
    tokio::time::sleep(startup).await;
    let missing = health.missing_sources();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        log::warn!(missing = missing.as_str(); "startup timeout: ready without these sources");
    }
}

fn review_settings(settings: &Settings) -> ReviewSettings {
    // Not the namespace of a kubeconfig's context: Mimic does not run in it.
    let own = own_namespace(&settings.namespace);
    let excluded = settings.excluded_namespaces.iter().cloned().chain(own);
    // The globs were checked when they were read.
    let excluded_namespaces = Globs::new(excluded).unwrap_or_default();
    ReviewSettings { annotate: settings.annotate, dry_run: settings.dry_run, excluded_namespaces }
}

fn listen(listen: &Listen) -> Result<TcpListener, StartError> {
    TcpListener::bind((listen.host.as_str(), listen.port))
        .map_err(|error| StartError::Listen { address: format!("{}:{}", listen.host, listen.port), error })
}

fn serve_admin(listener: TcpListener, health: &Arc<Health>, metrics: &Arc<Metrics>) -> Result<ActixServer, StartError> {
    let (health, metrics) = (Arc::clone(health), Arc::clone(metrics));
    let app = move || App::new().configure(|app| http::configure_admin(app, &health, &metrics));
    let server = HttpServer::new(app)
        .workers(1)
        .max_connections(resources::ADMIN_CONNECTIONS)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)?;
    Ok(server.run())
}

/// A running server.
pub struct Running {
    address: SocketAddr,
    admin_address: Option<SocketAddr>,
    webhook: ActixServer,
    admin: Option<ActixServer>,
    health: Arc<Health>,
    drain: Duration,
}

impl Running {
    /// The address of the webhook.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the admin port, unless it is off.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// The server's health.
    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// Serves until a signal. Then it is not ready, keeps serving for the drain period, finishes requests in flight and
    /// returns. After a second signal it returns immediately, and requests in flight end with the process.
    ///
    /// A read from a disk that hangs may still be in progress. Dropping the runtime would wait for it, so end the process
    /// instead.
    ///
    /// # Errors
    ///
    /// When a listener fails.
    pub async fn until(self, mut signals: Signals) -> io::Result<()> {
        let Self { webhook, admin, health, drain, .. } = self;
        let handle = webhook.handle();
        let admin_handle = admin.as_ref().map(ActixServer::handle);
        let mut webhook = tokio::task::spawn_local(webhook);
        // It ends together with the webhook.
        admin.map(tokio::task::spawn_local);

        let signal = tokio::select! {
            ended = &mut webhook => return ended.map_err(io::Error::other)?,
            signal = signals.next() => signal,
        };
        health.drain();
        log::info!(signal, drain:?; "shutting down: draining");
        let orderly = async {
            tokio::time::sleep(drain).await;
            handle.stop(true).await;
        };
        let hurried = tokio::select! {
            () = orderly => false,
            _ = signals.next() => true,
        };
        if hurried {
            // The listener is busy with the orderly stop and would not react to another request.
            log::warn!("second signal: exiting immediately");
            return Ok(());
        }
        if let Some(admin) = admin_handle {
            admin.stop(false).await;
        }
        log::info!("shutdown complete");
        Ok(())
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("address", &self.address).finish_non_exhaustive()
    }
}
