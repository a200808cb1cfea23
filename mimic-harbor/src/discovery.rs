//! The questions that lead to a list of mirrors, as few as the account allows.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt as _;
use mimic_core::Rule;
use serde::de::IgnoredAny;
use url::form_urlencoded::byte_serialize;

use crate::api::{Project, Registry, Summary, SystemInfo};
use crate::choice::{self, Endpoint};
use crate::client::{self, Client, Denial, Reply, Who};
use crate::credentials::Credentials;
use crate::error::HarborError;
use crate::pages;
use crate::report::{LeftOut, PERMISSION, Report, Way};
use crate::settings::Settings;

/// Most summaries asked for at a time.
const AT_A_TIME: usize = 8;

/// `registry_id=[1~]`: of proxy-cache projects only.
const PROXY_PROJECTS: &str = "q=registry_id%3D%5B1~%5D";

/// A Harbor that can be asked for its mirrors, again and again.
///
/// ```no_run
/// use mimic_harbor::{Address, Harbor, Settings};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut settings = Settings::new(Address::parse("harbor.example.com")?);
/// settings.registry = Some("harbor.example.com".to_owned());
/// let report = Harbor::new(settings)?.discover().await?;
/// for entry in report.projects.iter().filter(|entry| entry.left_out.is_none()) {
///     println!("{} is mirrored at {}", entry.upstream.as_deref().unwrap_or_default(), entry.mirror);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Harbor {
    settings: Settings,
    http: Mutex<Http>,
    /// The projects and endpoints of last time, by number.
    known: tokio::sync::Mutex<Known>,
}

/// The HTTP client, with the authorities that it was made with.
#[derive(Debug)]
struct Http {
    authorities: Option<Vec<u8>>,
    client: reqwest::Client,
}

#[derive(Debug, Default)]
struct Known {
    projects: Vec<u64>,
    endpoints: Vec<u64>,
}

impl Harbor {
    /// Gets ready; asks nothing yet.
    ///
    /// # Errors
    /// When the file of certificate authorities cannot be used, or the configured registry address is none.
    pub fn new(settings: Settings) -> Result<Self, HarborError> {
        if let Some(registry) = &settings.registry {
            check_registry(registry)?;
        }
        let authorities = authorities(&settings)?;
        let client = make(&settings, authorities.as_deref())?;
        let http = Mutex::new(Http { authorities, client });
        Ok(Self { settings, http, known: tokio::sync::Mutex::default() })
    }

    /// What was asked for.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Finds out what the Harbor mirrors now.
    ///
    /// # Errors
    /// [`HarborError`], whenever the answers could be incomplete: a list that is only partly known is none.
    pub async fn discover(&self) -> Result<Report, HarborError> {
        // Also keeps discoveries of one Harbor apart.
        let mut known = self.known.lock().await;
        let client = self.client()?;
        let info = identify(&client).await?;
        let registry = self.registry(&client, &info)?;

        let projects = match pages::read::<Project>(&client, "projects", PROXY_PROJECTS, &mut known.projects).await? {
            Ok(projects) => projects,
            Err(denial) => return Err(denied(&client, "projects", denial).await),
        };
        // A filter that a Harbor does not know is ignored without a word.
        let projects: Vec<Project> = projects.into_iter().filter(|project| project.endpoint().is_some()).collect();
        let (endpoints, way) = self.endpoints(&client, &projects, &mut known.endpoints).await?;

        // An account that was switched off meanwhile was answered as if nobody had asked.
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
                (project, endpoint.unwrap_or(Endpoint::NotAsked))
            })
            .collect();
        let report = Report {
            harbor: client.harbor(),
            version: info.harbor_version,
            account: client.account.as_ref().map(|account| account.username.clone()),
            projects: choice::choose(projects, &registry, &self.settings),
            registry,
            way,
            unused_overrides,
        };
        refuse_blindness(&client, report)
    }

    /// Registry endpoints by number, as far as they are needed and can be seen.
    async fn endpoints(
        &self,
        client: &Client,
        projects: &[Project],
        known: &mut Vec<u64>,
    ) -> Result<(HashMap<u64, Endpoint>, Way), HarborError> {
        let is_needed = |project: &&Project| {
            choice::is_wanted(project, &self.settings).is_ok() && self.settings.overrides.get(&project.name).is_none()
        };
        let mut by_endpoint: HashMap<u64, Vec<Witness>> = HashMap::new();
        for project in projects.iter().filter(is_needed) {
            let witness = Witness { project: project.name.clone(), public: project.is_public() };
            by_endpoint.entry(project.endpoint().unwrap_or_default()).or_default().push(witness);
        }
        if by_endpoint.is_empty() {
            return Ok((HashMap::new(), Way::None));
        }
        let mut endpoints = HashMap::new();
        let mut way = Way::Summaries;
        if client.account.is_some() {
            match pages::read::<Registry>(client, "registries", "sort=id", known).await? {
                Ok(list) => {
                    way = Way::Endpoints;
                    endpoints.extend(list.into_iter().map(|registry| (registry.id, Endpoint::Known(registry))));
                }
                // The projects' summaries tell as much, one by one.
                Err(Denial::Forbidden) => {}
                Err(denial) => return Err(denied(client, "registries", denial).await),
            }
        }
        by_endpoint.retain(|id, _| !endpoints.contains_key(id));
        let mut summaries = futures_util::stream::iter(by_endpoint)
            .map(|(id, witnesses)| async move { Ok((id, summary(client, witnesses).await?)) })
            .buffer_unordered(AT_A_TIME);
        while let Some(found) = summaries.next().await {
            let (id, endpoint) = found?;
            endpoints.insert(id, endpoint);
        }
        drop(summaries);
        Ok((endpoints, way))
    }

    /// Where pods pull from. Never the address of the API, which may be one that only the cluster knows.
    fn registry(&self, client: &Client, info: &SystemInfo) -> Result<String, HarborError> {
        let told = self.settings.registry.as_ref().or(info.registry_url.as_ref()).filter(|text| !text.is_empty());
        let told = told.ok_or_else(|| HarborError::RegistryUnknown { harbor: client.harbor() })?;
        check_registry(told)
    }

    /// A client of this moment: files may have changed.
    fn client(&self) -> Result<Client, HarborError> {
        let account = self.settings.credentials.as_ref().map(Credentials::read).transpose()?;
        let authorities = authorities(&self.settings)?;
        let mut http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        if http.authorities != authorities {
            let client = make(&self.settings, authorities.as_deref())?;
            *http = Http { authorities, client };
        }
        Ok(Client {
            address: self.settings.address.clone(),
            http: http.client.clone(),
            account,
            timeouts: self.settings.timeouts,
        })
    }
}

/// An account that may see nothing at all needs a permission; its empty list is not the Harbor's.
fn refuse_blindness(client: &Client, report: Report) -> Result<Report, HarborError> {
    let is_used = report.projects.iter().any(|entry| entry.left_out.is_none());
    let is_hidden = report.projects.iter().any(|entry| entry.left_out == Some(LeftOut::NotPermitted));
    if is_used || !is_hidden {
        return Ok(report);
    }
    Err(HarborError::PermissionMissing {
        harbor: client.harbor(),
        who: who(client),
        what: "see which registries the proxy-cache projects are for",
        permission: PERMISSION,
    })
}

fn authorities(settings: &Settings) -> Result<Option<Vec<u8>>, HarborError> {
    let Some(path) = &settings.ca_file else { return Ok(None) };
    let unreadable =
        |error: std::io::Error| HarborError::AuthoritiesUnreadable { path: path.clone(), reason: error.to_string() };
    std::fs::read(path).map(Some).map_err(unreadable)
}

fn make(settings: &Settings, authorities: Option<&[u8]>) -> Result<reqwest::Client, HarborError> {
    let path = settings.ca_file.as_deref().unwrap_or(Path::new(""));
    client::http(authorities.map(|pem| (path, pem)), settings.timeouts)
}

/// Asks who is there, and makes sure that Harbor knows who asks.
async fn identify(client: &Client) -> Result<SystemInfo, HarborError> {
    let info: SystemInfo = match client.get("systeminfo", Who::Account).await? {
        Reply::Given(info, _) => info,
        Reply::Denied(Denial::Unknown) if client.account.is_some() => return Err(not_accepted(client).await),
        Reply::Denied(_) => {
            let answer = "it has no public `systeminfo`".to_owned();
            return Err(HarborError::NotHarbor { harbor: client.harbor(), answer });
        }
    };
    if info.auth_mode.is_none() {
        let answer = "its `systeminfo` names no `auth_mode`".to_owned();
        return Err(HarborError::NotHarbor { harbor: client.harbor(), answer });
    }
    if client.account.is_some() && !info.is_identified() {
        return Err(not_accepted(client).await);
    }
    Ok(info)
}

/// Why Harbor does not know the account. Without its database it knows nobody, but cannot list projects either.
async fn not_accepted(client: &Client) -> HarborError {
    match probe(client).await {
        Err(error) => error,
        Ok(()) => HarborError::CredentialsNotAccepted {
            harbor: client.harbor(),
            username: client.account.as_ref().map(|account| account.username.clone()).unwrap_or_default(),
        },
    }
}

/// Whether projects can be listed, by whomever.
async fn probe(client: &Client) -> Result<(), HarborError> {
    let path = format!("projects?page=1&page_size={}&{PROXY_PROJECTS}", pages::PAGE);
    client.get::<IgnoredAny>(&path, Who::Account).await.map(drop)
}

/// Why a list is denied. 401 to an account that is known is what a Harbor without its database answers.
async fn denied(client: &Client, list: &'static str, denial: Denial) -> HarborError {
    match denial {
        Denial::Unknown if client.account.is_some() => {
            if let Err(error) = identify(client).await {
                return error;
            }
            match probe(client).await {
                Err(error) => error,
                Ok(()) => client.unexpected(list, "status 401 to an account that it knows"),
            }
        }
        Denial::Absent => client.unexpected(list, "status 404"),
        Denial::Unknown | Denial::Forbidden => HarborError::PermissionMissing {
            harbor: client.harbor(),
            who: who(client),
            what: "list projects",
            permission: "give the robot account the system permission `Project: List`",
        },
    }
}

/// A project that can tell about its registry endpoint.
struct Witness {
    project: String,
    public: bool,
}

/// Asks projects that share an endpoint for it, public ones first, until one tells.
async fn summary(client: &Client, mut witnesses: Vec<Witness>) -> Result<Endpoint, HarborError> {
    witnesses.sort_by_key(|witness| !witness.public);
    let mut found = Endpoint::NotPermitted;
    for Witness { project, public } in witnesses {
        let path = format!("projects/{}/summary", byte_serialize(project.as_bytes()).collect::<String>());
        // A robot account may be denied what everybody may see.
        for who in [Who::Account, Who::Nobody] {
            if who == Who::Nobody && (client.account.is_none() || !public) {
                continue;
            }
            match client.get::<Summary>(&path, who).await? {
                Reply::Given(Summary { registry: Some(registry) }, _) => return Ok(Endpoint::Known(registry)),
                // The project was removed since it was listed, or its endpoint was.
                Reply::Given(Summary { registry: None }, _) | Reply::Denied(Denial::Absent) => found = Endpoint::Gone,
                Reply::Denied(Denial::Unknown) if who == Who::Account && client.account.is_some() => {
                    return Err(denied(client, "projects", Denial::Unknown).await);
                }
                Reply::Denied(_) => {}
            }
        }
    }
    Ok(found)
}

fn who(client: &Client) -> String {
    client.account.as_ref().map_or_else(|| "nobody".to_owned(), |account| format!("`{}`", account.username))
}

/// The registry address as rules need it. People write it as a URL, too.
fn check_registry(text: &str) -> Result<String, HarborError> {
    let bare = text.trim();
    let bare = ["https://", "http://"].iter().find_map(|scheme| bare.strip_prefix(scheme)).unwrap_or(bare);
    let bare = bare.trim_end_matches('/');
    match Rule::mirror("mimic.invalid", &format!("{bare}/project")) {
        Ok(rule) => {
            let location = rule.mirrors().first().map(|mirror| mirror.location().as_str()).unwrap_or_default();
            Ok(location.strip_suffix("/project").unwrap_or(location).to_owned())
        }
        Err(error) => Err(HarborError::RegistryInvalid { registry: text.to_owned(), reason: error.to_string() }),
    }
}
