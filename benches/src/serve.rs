//! The server that is put under load: Mimic's own, with one route more.

use std::io::{self, Write as _};

use actix_web::rt::System;
use actix_web::web::{self, Bytes};
use actix_web::{HttpResponse, Responder};
use anyhow::{Result, anyhow};
use mimic_server::internal::init_logging;
use mimic_server::{Server, Settings, Signals};
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::{cpu, data};

/// The route that does nothing: it reads the body and answers [`ANSWER`]. What it costs is the cost of everything that
/// is not Mimic: the system's network stack, TLS, HTTP.
pub const LIMIT: &str = "/limit";

/// Mimic's route.
pub const MUTATE: &str = "/mutate";

/// What [`LIMIT`] answers.
pub const ANSWER: &str = r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"allowed":true}}"#;

/// What differs from a default installation, because there is no cluster: `MIMIC_` variables change it further.
const DEFAULTS: &[(&str, &str)] = &[
    ("listenhost", "127.0.0.1"),
    ("listenport", "0"),
    ("admin.listenport", "0"),
    ("certificate.source", "selfsigned"),
    ("kubernetes.enabled", "false"),
    ("drain", "0s"),
];

/// Serves with so many `workers`, on `core` if one is given, and so many `rules` more than usual, until the process is asked
/// to stop or whoever started it has ended. Writes a line with its address to the standard output.
///
/// # Errors
/// When it cannot be started.
pub fn run(core: Option<usize>, rules: usize, workers: usize) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM))?;
    if let Some(core) = core {
        cpu::pin(core)?;
    }
    let settings = Settings::load(std::env::vars_os(), None, DEFAULTS).settings;
    let settings = settings.map_err(|problems| anyhow!("{problems:?}"))?;
    let _last_lines = init_logging(settings.log, None)?;
    System::new().block_on(async {
        let signals = Signals::listen()?;
        let server = Server::new(settings).example(data::mirrors(rules)).workers(workers).extra(|app| {
            // As much as the webhook takes.
            let resource = web::resource(LIMIT).app_data(web::PayloadConfig::new(8 << 20));
            app.service(resource.route(web::post().to(limit)));
        });
        let running = server.start().await?;
        writeln!(io::stdout(), "{}", running.address())?;
        Ok(running.until(signals).await?)
    })
}

async fn limit(_body: Bytes) -> impl Responder {
    HttpResponse::Ok().content_type("application/json").body(ANSWER)
}
