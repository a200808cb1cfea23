use std::path::{Path, PathBuf};
use std::sync::Arc;

use mimic_core::{MirrorSource, Problem, RuleList, SourceError, SourceErrorKind, async_trait, parse_rules_file};

use crate::polling::Watched;

/// A `mirrors.yaml`.
pub(crate) struct File {
    name: String,
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    watched: Watched,
}

impl File {
    pub(crate) fn new(path: &Path) -> Self {
        let watched = Watched::new([path.to_owned()]);
        Self { name: format!("file:{}", path.display()), inner: Arc::new(Inner { path: path.to_owned(), watched }) }
    }

    pub(crate) fn read(&self) -> Result<RuleList, Problem> {
        self.inner.read()
    }
}

impl Inner {
    fn read(&self) -> Result<RuleList, Problem> {
        self.watched.note();
        let name = self.path.display().to_string();
        match std::fs::read_to_string(&self.path) {
            Ok(text) => parse_rules_file(&name, &text),
            Err(error) => Err(Problem::new(&name, format!("cannot be read: {error}"))),
        }
    }
}

#[async_trait]
impl MirrorSource for File {
    fn name(&self) -> &str {
        &self.name
    }

    async fn load(&self) -> Result<RuleList, SourceError> {
        let inner = Arc::clone(&self.inner);
        // A long list takes a while to read.
        match tokio::task::spawn_blocking(move || inner.read()).await {
            Ok(Ok(list)) => Ok(list),
            Ok(Err(problem)) => Err(SourceError::from_error(SourceErrorKind::Invalid, problem)),
            Err(error) => {
                Err(SourceError::new(SourceErrorKind::Unavailable, "reading was cut short").with_cause(error))
            }
        }
    }

    async fn changed(&self) {
        self.inner.watched.changed().await;
    }
}
