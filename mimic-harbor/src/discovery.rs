//! Discovers the mirrors of a Harbor, with as few requests as the permissions of the account allow.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt as _;
use mimic_core::Rule;
use serde::de::IgnoredAny;
use url::form_urlencoded::byte_serialize;

use crate::api::{Project, Registry, Summary, SystemInfo};
use crate::client::{self, Caller, Client, Denial, Reply};
use crate::credentials::{Basic, Credentials};
use crate::error::HarborError;
use crate::pages;
use crate::project_rules::{self, Endpoint};
use crate::report::{DiscoveryMethod, PERMISSION, ProxyProject, Report, SkipReason};
use crate::retention::{Now, Retention};
use crate::settings::HarborSettings;

/// Most requests for summaries at the same time.
const CONCURRENT_SUMMARIES: usize = 8;

/// `registry_id=[1~]`: selects proxy-cache projects.
const PROXY_PROJECTS: &str = "q=registry_id%3D%5B1~%5D";

/// A Harbor whose mirrors can be discovered, repeatedly.
///
/// ```no_run
/// use mimic_harbor::{Address, Harbor, HarborSettings};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut settings = HarborSettings::new(Address::parse("harbor.example.com")?);
/// settings.registry = Some("harbor.example.com".to_owned());
/// let report = Harbor::new(settings)?.discover().await?;
/// for project in report.projects.iter().filter(|project| project.skipped.is_none()) {
///     println!("{} is mirrored at {}", project.upstream.as_deref().unwrap_or_default(), project.mirror);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Harbor {
    settings: HarborSettings,
    http: Mutex<Http>,
    /// What the last discovery found. Locked during a discovery, so those of one Harbor never overlap.
    known: tokio::sync::Mutex<Known>,
}

/// The HTTP client, with the content of the CA file that it trusts.
#[derive(Debug)]
struct Http {
    ca: Option<Vec<u8>>,
    client: reqwest::Client,
}

#[derive(Debug, Default)]
struct Known {
    /// The IDs of the projects.
    projects: Vec<u64>,
    /// The IDs of the endpoints.
    endpoints: Vec<u64>,
    /// The projects in use, if the list is refreshed.
    retention: Retention,
}

impl Harbor {
    /// Prepares the HTTP client. Sends no request.
    ///
    /// # Errors
    /// If the CA file cannot be used, or the configured registry address is invalid.
    pub fn new(settings: HarborSettings) -> Result<Self, HarborError> {
        if let Some(registry) = &settings.registry {
            check_registry(registry)?;
        }
        let ca = read_ca(&settings)?;
        let client = http_client(&settings, ca.as_deref())?;
        let http = Mutex::new(Http { ca, client });
        Ok(Self { settings, http, known: tokio::sync::Mutex::default() })
    }

    /// The settings.
    pub fn settings(&self) -> &HarborSettings {
        &self.settings
    }

    /// Discovers what the Harbor mirrors now, with one complete read.
    ///
    /// Harbor can answer a single request as if it were anonymous: without private projects. So use
    /// [`discover_confirmed`](Self::discover_confirmed) for a list that is used only once, and
    /// [`refresh`](Self::refresh) for one that is kept up to date.
    ///
    /// # Errors
    /// [`HarborError`] if any request fails: a partial list is never returned.
    pub async fn discover(&self) -> Result<Report, HarborError> {
        let mut report = self.read(&mut *self.known.lock().await).await?;
        project_rules::skip_outranked(&mut report.projects);
        Ok(report)
    }

    /// Discovers what the Harbor mirrors now, with two complete reads that agree.
    ///
    /// # Errors
    /// [`HarborError`] if any request fails, or the reads keep differing.
    pub async fn discover_confirmed(&self) -> Result<Report, HarborError> {
        let mut report = self.read_confirmed(&mut *self.known.lock().await).await?;
        project_rules::skip_outranked(&mut report.projects);
        Ok(report)
    }

    /// Discovers what the Harbor mirrors now, for a caller that does so again and again.
    ///
    /// The first list is a [confirmed](Self::discover_confirmed) one. After that, a project that was used is dropped only if two reads
    /// in a row do not list it. If more than half of the projects go at once, or all private ones, they are kept for the
    /// [grace period](HarborSettings::grace), and the report [says so](Report::degraded).
    ///
    /// # Errors
    /// [`HarborError`] if any request fails. The next refresh continues from the last good one.
    pub async fn refresh(&self) -> Result<Report, HarborError> {
        let mut known = self.known.lock().await;
        let mut report = if known.retention.is_empty() {
            self.read_confirmed(&mut known).await?
        } else {
            self.read(&mut known).await?
        };
        report.kept = known.retention.apply(&mut report.projects, self.settings.grace, Now::read());
        project_rules::skip_outranked(&mut report.projects);
        Ok(report)
    }

    async fn read_confirmed(&self, known: &mut Known) -> Result<Report, HarborError> {
        let content = |report: &Report| {
            let content = |project: &ProxyProject| {
                let reason = project.skipped.as_ref().map(ToString::to_string);
                (project.name.clone(), project.public, project.upstream.clone(), project.filter.clone(), reason)
            };
            report.projects.iter().map(content).collect::<Vec<_>>()
        };
        let mut last = self.read(known).await?;
        for _ in 1..pages::ATTEMPTS {
            let report = self.read(known).await?;
            if content(&report) == content(&last) {
                return Ok(report);
            }
            last = report;
        }
        Err(HarborError::ListChanging { harbor: last.harbor, path: "projects".to_owned() })
    }

    /// One complete read. Projects for the same upstream are not compared yet.
    async fn read(&self, known: &mut Known) -> Result<Report, HarborError> {
        let client = self.client().await?;
        let info = identify(&client).await?;
        let registry = self.registry(&client, &info)?;

        let projects = match pages::read::<Project>(&client, "projects", PROXY_PROJECTS, &mut known.projects).await? {
            Ok(projects) => projects,
            Err(denial) => return Err(denied(&client, "projects", denial).await),
        };
        // Harbors that do not know this query ignore it.
        let projects: Vec<Project> = projects.into_iter().filter(|project| project.endpoint().is_some()).collect();
        let (endpoints, discovery_method) = self.endpoints(&client, &projects, &mut known.endpoints).await?;

        // If the account was disabled in the meantime, the lists are those for an anonymous client.
        if client.account.is_some() {
            identify(&client).await?;
        }
        let unused_overrides = self
            .settings
            .overrides
            .projects()
            .filter(|name| projects.iter().all(|project| project.name != **name))
            .map(str::to_owned)
            .collect();
        let projects = projects
            .into_iter()
            .map(|project| {
                let endpoint = project.endpoint().and_then(|id| endpoints.get(&id).cloned());
                (project, endpoint.unwrap_or(Endpoint::NotRequested))
            })
            .collect();
        let report = Report {
            harbor: client.harbor(),
            version: info.harbor_version,
            account: client.account.as_ref().map(|account| account.username.clone()),
            projects: project_rules::evaluate_all(projects, &registry, &self.settings),
            registry,
            discovery_method,
            unused_overrides,
            kept: None,
        };
        require_visible_endpoint(&client, report)
    }

    /// Registry endpoints by ID: those that are needed and visible.
    async fn endpoints(
        &self,
        client: &Client,
        projects: &[Project],
        known: &mut Vec<u64>,
    ) -> Result<(HashMap<u64, Endpoint>, DiscoveryMethod), HarborError> {
        let is_needed = |project: &&Project| {
            project_rules::check_selected(project, &self.settings).is_ok()
                && self.settings.overrides.get(&project.name).is_none()
        };
        let mut by_endpoint: HashMap<u64, Vec<EndpointUser>> = HashMap::new();
        for project in projects.iter().filter(is_needed) {
            let user = EndpointUser { project: project.name.clone(), public: project.is_public() };
            by_endpoint.entry(project.endpoint().unwrap_or_default()).or_default().push(user);
        }
        if by_endpoint.is_empty() {
            return Ok((HashMap::new(), DiscoveryMethod::None));
        }
        let mut endpoints = HashMap::new();
        let mut method = DiscoveryMethod::Summaries;
        if client.account.is_some() {
            match pages::read::<Registry>(client, "registries", "sort=id", known).await? {
                Ok(list) => {
                    method = DiscoveryMethod::Endpoints;
                    endpoints.extend(list.into_iter().map(|registry| (registry.id, Endpoint::Known(registry))));
                }
                // The summaries of the projects have the same data.
                Err(Denial::Forbidden) => {}
                Err(denial) => return Err(denied(client, "registries", denial).await),
            }
        }
        by_endpoint.retain(|id, _| !endpoints.contains_key(id));
        let mut summaries = futures_util::stream::iter(by_endpoint)
            .map(|(id, users)| async move { Ok((id, summary(client, users).await?)) })
            .buffer_unordered(CONCURRENT_SUMMARIES);
        while let Some(found) = summaries.next().await {
            let (id, endpoint) = found?;
            // The account can list all endpoints, so one that is not in the list is not hidden from it.
            let is_gone = method == DiscoveryMethod::Endpoints && matches!(endpoint, Endpoint::NotPermitted);
            endpoints.insert(id, if is_gone { Endpoint::Deleted } else { endpoint });
        }
        drop(summaries);
        Ok((endpoints, method))
    }

    /// The registry address. Never the address of the API, which may resolve only in the cluster.
    fn registry(&self, client: &Client, info: &SystemInfo) -> Result<String, HarborError> {
        let registry = self.settings.registry.as_ref().or(info.registry_url.as_ref()).filter(|text| !text.is_empty());
        check_registry(registry.ok_or_else(|| HarborError::RegistryUnknown { harbor: client.harbor() })?)
    }

    /// A client with the current content of the password and CA files.
    async fn client(&self) -> Result<Client, HarborError> {
        let (account, ca) = read_files(&self.settings).await?;
        let mut http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        if http.ca != ca {
            let client = http_client(&self.settings, ca.as_deref())?;
            *http = Http { ca, client };
        }
        Ok(Client {
            address: self.settings.address.clone(),
            http: http.client.clone(),
            account,
            timeouts: self.settings.timeouts,
        })
    }
}

/// Fails if no project is used and some are hidden: the account lacks a permission, and the list is not empty.
fn require_visible_endpoint(client: &Client, report: Report) -> Result<Report, HarborError> {
    let is_used = report.projects.iter().any(|project| project.skipped.is_none());
    let is_hidden = report.projects.iter().any(|project| project.skipped == Some(SkipReason::NotPermitted));
    if is_used || !is_hidden {
        return Ok(report);
    }
    Err(HarborError::PermissionMissing {
        harbor: client.harbor(),
        account: account(client),
        action: "read the registry endpoints of the proxy-cache projects",
        permission: PERMISSION,
    })
}

/// The account and the content of the CA file. A disk can hang, so they are read on a thread that may block.
async fn read_files(settings: &HarborSettings) -> Result<(Option<Basic>, Option<Vec<u8>>), HarborError> {
    let read = |settings: &HarborSettings| {
        Ok((settings.credentials.as_ref().map(Credentials::read).transpose()?, read_ca(settings)?))
    };
    if settings.ca_file.is_none() && settings.credentials.as_ref().and_then(Credentials::file).is_none() {
        return read(settings);
    }
    let settings = settings.clone();
    match tokio::task::spawn_blocking(move || read(&settings)).await {
        Ok(read) => read,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime shuts down, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

fn read_ca(settings: &HarborSettings) -> Result<Option<Vec<u8>>, HarborError> {
    let Some(path) = &settings.ca_file else { return Ok(None) };
    std::fs::read(path).map(Some).map_err(|error| HarborError::CaFile { path: path.clone(), cause: error.into() })
}

fn http_client(settings: &HarborSettings, ca: Option<&[u8]>) -> Result<reqwest::Client, HarborError> {
    let path = settings.ca_file.as_deref().unwrap_or(Path::new(""));
    client::http(ca.map(|pem| (path, pem)), settings.timeouts)
}

/// Checks that this is a Harbor, and that it accepts the account.
async fn identify(client: &Client) -> Result<SystemInfo, HarborError> {
    let info: SystemInfo = match client.get("systeminfo", Caller::Account).await? {
        Reply::Content(info, _) => info,
        Reply::Denied(Denial::Unauthorized) if client.account.is_some() => return Err(not_accepted(client).await),
        Reply::Denied(_) => {
            let response = "no public `systeminfo`".to_owned();
            return Err(HarborError::NotHarbor { harbor: client.harbor(), response });
        }
    };
    if info.auth_mode.is_none() {
        let response = "`systeminfo` has no `auth_mode`".to_owned();
        return Err(HarborError::NotHarbor { harbor: client.harbor(), response });
    }
    if client.account.is_some() && !info.is_identified() {
        return Err(not_accepted(client).await);
    }
    Ok(info)
}

/// Why Harbor treats the account as anonymous. It also does so while its database is down, but then cannot list
/// projects either.
async fn not_accepted(client: &Client) -> HarborError {
    match probe(client).await {
        Err(error) => error,
        Ok(()) => HarborError::CredentialsNotAccepted {
            harbor: client.harbor(),
            username: client.account.as_ref().map(|account| account.username.clone()).unwrap_or_default(),
        },
    }
}

/// Checks that Harbor can list projects, without the account: each failed login delays the next one of that name.
async fn probe(client: &Client) -> Result<(), HarborError> {
    let path = format!("projects?page=1&page_size={}&{PROXY_PROJECTS}", pages::PAGE);
    client.get::<IgnoredAny>(&path, Caller::Anonymous).await.map(drop)
}

/// Why a list is denied. A Harbor whose database is down responds with 401 to a valid account.
async fn denied(client: &Client, list: &'static str, denial: Denial) -> HarborError {
    match denial {
        // The account was accepted just before. It is not tried again: one failed login for each discovery is enough.
        Denial::Unauthorized if client.account.is_some() => not_accepted(client).await,
        Denial::NotFound => client.unexpected(list, "status 404"),
        Denial::Unauthorized | Denial::Forbidden => HarborError::PermissionMissing {
            harbor: client.harbor(),
            account: account(client),
            action: "list projects",
            permission: "grant the robot account the system permission `Project: List`",
        },
    }
}

/// A project whose summary describes its registry endpoint.
struct EndpointUser {
    project: String,
    public: bool,
}

/// Reads the summaries of the projects that share an endpoint, public ones first, until one has the endpoint.
async fn summary(client: &Client, mut users: Vec<EndpointUser>) -> Result<Endpoint, HarborError> {
    users.sort_by_key(|user| !user.public);
    let mut found = Endpoint::NotPermitted;
    for EndpointUser { project, public } in users {
        let path = format!("projects/{}/summary", byte_serialize(project.as_bytes()).collect::<String>());
        // A robot account can be denied what an anonymous client can read.
        for caller in [Caller::Account, Caller::Anonymous] {
            if caller == Caller::Anonymous && (client.account.is_none() || !public) {
                continue;
            }
            match client.get::<Summary>(&path, caller).await? {
                Reply::Content(Summary { registry: Some(registry) }, _) => return Ok(Endpoint::Known(registry)),
                // The project or its endpoint was deleted after it was listed.
                Reply::Content(Summary { registry: None }, _) | Reply::Denied(Denial::NotFound) => {
                    found = Endpoint::Deleted;
                }
                Reply::Denied(Denial::Unauthorized) if caller == Caller::Account && client.account.is_some() => {
                    return Err(denied(client, "projects", Denial::Unauthorized).await);
                }
                Reply::Denied(_) => {}
            }
        }
    }
    Ok(found)
}

/// The account, as messages name it.
fn account(client: &Client) -> String {
    client
        .account
        .as_ref()
        .map_or_else(|| "an anonymous client".to_owned(), |account| format!("`{}`", account.username))
}

/// The registry address as rules need it. A URL is accepted, too.
fn check_registry(text: &str) -> Result<String, HarborError> {
    let bare = text.trim();
    let bare = ["https://", "http://"].iter().find_map(|scheme| bare.strip_prefix(scheme)).unwrap_or(bare);
    let bare = bare.trim_end_matches('/');
    match Rule::mirror("mimic.invalid", &format!("{bare}/project")) {
        Ok(rule) => {
            let location = rule.mirrors().first().map(|mirror| mirror.location().as_str()).unwrap_or_default();
            Ok(location.strip_suffix("/project").unwrap_or(location).to_owned())
        }
        Err(cause) => Err(HarborError::RegistryInvalid { registry: text.to_owned(), cause }),
    }
}
