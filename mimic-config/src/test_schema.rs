//! Settings for the tests of this crate.

use std::path::PathBuf;
use std::time::Duration;

use crate::harbor;
use crate::schema::Schema;
use crate::setting::{Row, Setting};
use crate::value_type::{DURATION, FLAG, GLOBS, HOST, NAME, PATHS, PORT, TEXT};

const LISTEN_HOST: Setting<String> = Setting::new("listenhost", &HOST, "0.0.0.0", "");
const LISTEN_PORT: Setting<u16> = Setting::new("listenport", &PORT, "8443", "");
const ADMIN_PORT: Setting<u16> = Setting::new("admin.listenport", &PORT, "8081", "");
const LOG_LEVEL: Setting<String> = Setting::new("loglevel", &TEXT, "info", "");
const LOG_FORMAT: Setting<String> = Setting::new("logformat", &TEXT, "text", "");
const ANNOTATE: Setting<bool> = Setting::new("annotate", &FLAG, "true", "");
const DRY_RUN: Setting<bool> = Setting::new("dryrun", &FLAG, "false", "");
const DRAIN: Setting<Duration> = Setting::new("drain", &DURATION, "5s", "");
const STARTUP: Setting<Duration> = Setting::new("startup", &DURATION, "60s", "");
const BODY: Setting<String> = Setting::new("limits.body", &TEXT, "8MiB", "");
const EXCLUDED: Setting<Vec<String>> = Setting::new("exclude.namespaces", &GLOBS, "", "");
const FILES: Setting<Vec<PathBuf>> = Setting::new("file.path", &PATHS, "", "");
const CONFIG_MAP: Setting<String> = Setting::new("kubernetes.configmap", &NAME, "mimic-mirrors", "");

static ROWS: &[Row] = &[
    LISTEN_HOST.row(),
    LISTEN_PORT.row(),
    ADMIN_PORT.row(),
    LOG_LEVEL.row(),
    LOG_FORMAT.row(),
    ANNOTATE.row(),
    DRY_RUN.row(),
    DRAIN.row(),
    STARTUP.row(),
    BODY.row(),
    EXCLUDED.row(),
    FILES.row(),
    CONFIG_MAP.row(),
];

pub(crate) fn schema() -> Schema {
    Schema { rows: ROWS.iter().chain(harbor::ROWS).collect(), lists: vec![harbor::GROUP], is_partial: false }
}
