//! The server under load: Mimic's, with one more route.

use std::io::{self, Write as _};

use actix_web::rt::System;
use actix_web::web::{self, Bytes};
use actix_web::{HttpResponse, Responder};
use anyhow::{Result, anyhow};
use mimic_server::internal::init_logging;
use mimic_server::{Server, Settings, Signals};
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::{cpu, data, soak};

/// The baseline: a route that reads the body and responds with [`ANSWER`]. It costs what everything except Mimic costs: the
/// system's network stack, TLS and HTTP.
pub const BASELINE: &str = "/baseline";

/// Mimic's route.
pub const MUTATE: &str = "/mutate";

/// The response of [`BASELINE`].
pub const ANSWER: &str = r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"allowed":true}}"#;

/// Differences from a default installation, because there is no cluster. `MIMIC_` variables override them.
const DEFAULTS: &[(&str, &str)] = &[
    ("listenhost", "127.0.0.1"),
    ("listenport", "0"),
    ("admin.listenport", "0"),
    ("certificate.source", "selfsigned"),
    ("kubernetes.enabled", "false"),
    ("drain", "0s"),
];

/// Serves with `workers` threads, on `core` if one is given, and `rules` more rules than usual, until the process gets a
/// signal or its parent ends. With `changing`, the rules are those of the [`soak`]. Writes a line with its address to
/// standard output.
///
/// # Errors
/// When it cannot be started.
pub fn run(core: Option<usize>, rules: usize, workers: usize, changing: bool) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM))?;
    if let Some(core) = core {
        cpu::pin(core)?;
    }
    let settings = Settings::load(std::env::vars_os(), None, DEFAULTS).settings;
    let settings = settings.map_err(|problems| anyhow!("{problems:?}"))?;
    let _last_lines = init_logging(settings.log, None)?;
    System::new().block_on(async {
        let signals = Signals::listen()?;
        let mut server = Server::new(settings).example(data::mirrors(rules)).workers(workers).extra(|app| {
            // The limit of the webhook.
            let resource = web::resource(BASELINE).app_data(web::PayloadConfig::new(8 << 20));
            app.service(resource.route(web::post().to(baseline)));
        });
        if changing {
            server = soak::sources()?.into_iter().fold(server, Server::source);
        }
        let running = server.start().await?;
        writeln!(io::stdout(), "{}", running.address())?;
        Ok(running.until(signals).await?)
    })
}

async fn baseline(_body: Bytes) -> impl Responder {
    HttpResponse::Ok().content_type("application/json").body(ANSWER)
}
