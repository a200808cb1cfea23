//! Mirrors in files, `mirrors.yaml`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mimic_config::value_type::{FLAG, PATHS};
use mimic_config::{Layers, Row, Setting};
use mimic_core::internal::text::decode;
use mimic_core::{MirrorSource, Problem, RuleList, SourceError, SourceErrorKind, async_trait};
use mimic_k8s::mirrors::parse_document;

use super::kind::{ConfiguredSource, Host, SourceKind, SourceSettings};
use crate::files;
use crate::polling::PolledFiles;

/// Largest file in bytes.
const LARGEST: u64 = 16 << 20;

pub(super) const KIND: SourceKind = SourceKind { names: &["file:PATH"], rows: ROWS, list: None, read };

const PATH: Setting<Vec<PathBuf>> = Setting::new(
    "file.path",
    &PATHS,
    "",
    "Files with mirrors: `mirrors.yaml`, or the manifest of a ConfigMap. Earlier files take precedence.",
);
const WATCH: Setting<bool> = Setting::new("file.watch", &FLAG, "true", "Reload files with mirrors when they change.");

static ROWS: &[Row] = &[PATH.row(), WATCH.row()];

fn read(layers: &mut Layers) -> Vec<Arc<dyn SourceSettings>> {
    let (paths, watch) = (layers.read(&PATH), layers.read(&WATCH));
    paths.into_iter().map(|path| Arc::new(FileSettings { path, watch }) as Arc<dyn SourceSettings>).collect()
}

#[derive(Debug)]
struct FileSettings {
    path: PathBuf,
    watch: bool,
}

impl SourceSettings for FileSettings {
    /// Reads the file: an error in it is a configuration error.
    fn open(&self, host: &Host<'_>) -> Result<Option<ConfiguredSource>, Vec<Problem>> {
        let file = MirrorsFile::new(&self.path);
        let list = file.content.read().map_err(|problem| vec![problem])?;
        if list.problems.is_empty() {
            let watch = host.watch && self.watch;
            Ok(Some(ConfiguredSource::Loaded { source: Arc::new(file), watch, first: Some(list.rules) }))
        } else {
            Err(list.problems)
        }
    }
}

/// A `mirrors.yaml`.
struct MirrorsFile {
    name: String,
    content: Arc<Content>,
}

struct Content {
    path: PathBuf,
    files: PolledFiles,
}

impl MirrorsFile {
    fn new(path: &Path) -> Self {
        let files = PolledFiles::new([path.to_owned()]);
        Self { name: format!("file:{}", path.display()), content: Arc::new(Content { path: path.to_owned(), files }) }
    }
}

impl Content {
    fn read(&self) -> Result<RuleList, Problem> {
        self.files.note_blocking();
        let name = self.path.display().to_string();
        let bytes = files::read_settled(&self.path, LARGEST)
            .map_err(|error| Problem::new(&name, format!("cannot read the file: {error}")))?;
        parse_document(&name, decode(&bytes).map_err(|error| Problem::from_error(&name, &error))?)
    }
}

#[async_trait]
impl MirrorSource for MirrorsFile {
    fn name(&self) -> &str {
        &self.name
    }

    async fn load(&self) -> Result<RuleList, SourceError> {
        let content = Arc::clone(&self.content);
        // A disk can hang, and a long list takes a while to parse.
        match tokio::task::spawn_blocking(move || content.read()).await {
            Ok(Ok(list)) => Ok(list),
            Ok(Err(problem)) => Err(SourceError::from_error(SourceErrorKind::Invalid, problem)),
            Err(error) => {
                Err(SourceError::new(SourceErrorKind::Unavailable, "reading was interrupted").with_cause(error))
            }
        }
    }

    async fn changed(&self) {
        self.content.files.changed().await;
    }
}
