//! Mirrors discovered from Harbors.

use std::sync::Arc;

use mimic_config::Layers;
use mimic_config::harbor::{self, ConfiguredHarbor};
use mimic_core::Problem;
use mimic_harbor::{Harbor, HarborSource};

use super::kind::{ConfiguredSource, Host, SourceKind, SourceSettings};
use super::registries::PolledRegistry;
use crate::polling::PolledFiles;

pub(super) const KIND: SourceKind =
    SourceKind { names: &["harbor", "harbor:NAME"], rows: harbor::ROWS, list: Some(harbor::GROUP), read };

fn read(layers: &mut Layers) -> Vec<Arc<dyn SourceSettings>> {
    harbor::read(layers).into_iter().map(|harbor| Arc::new(harbor) as Arc<dyn SourceSettings>).collect()
}

impl SourceSettings for ConfiguredHarbor {
    fn open(&self, host: &Host<'_>) -> Result<Option<ConfiguredSource>, Vec<Problem>> {
        let name = self.source_name();
        let harbor = Harbor::new(self.settings.clone()).map_err(|error| vec![Problem::from_error(&name, &error)])?;
        let source = HarborSource::new(name, harbor);
        let files = PolledFiles::new(source.files());
        let source = Arc::new(PolledRegistry::new(source, files, self.interval));
        Ok(Some(ConfiguredSource::Loaded { source, watch: host.watch && self.watch, first: None }))
    }
}
