//! The volumes of a container, as the kubelet mounts them.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, bail};
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Container, KeyToPath, PodSpec, Secret, Volume},
};

use crate::Namespace;

type Files = BTreeMap<String, Vec<u8>>;

/// Volumes of a container, in a directory of the test instead of their mount paths.
#[derive(Debug, Default)]
pub(crate) struct Volumes {
    /// Paths in the container, and their real paths.
    places: Vec<(String, String)>,
}

impl Volumes {
    /// Writes the volumes of a container into `directory`.
    ///
    /// # Errors
    /// If a mounted object does not exist: the kubelet would wait for it.
    pub(crate) async fn mount(
        namespace: &Namespace<'_>,
        pod: &PodSpec,
        container: &Container,
        directory: &Path,
    ) -> Result<Self> {
        let mut places = Vec::new();
        for mount in container.volume_mounts.iter().flatten() {
            let volume = pod.volumes.iter().flatten().find(|volume| volume.name == mount.name);
            let volume = volume.with_context(|| format!("no volume `{}`", mount.name))?;
            let place = directory.join(&mount.name);
            for (path, content) in files(namespace, volume).await? {
                let path = place.join(path);
                fs::create_dir_all(path.parent().context("a file is in a directory")?)?;
                fs::write(path, content)?;
            }
            places.push((mount.mount_path.clone(), place.display().to_string()));
        }
        let volumes = Self { places };
        for (_, place) in &volumes.places {
            volumes.correct(Path::new(place))?;
        }
        Ok(volumes)
    }

    /// Replaces paths of the container in a string by the real paths.
    pub(crate) fn located(&self, text: &str) -> String {
        self.places
            .iter()
            .fold(text.to_owned(), |text, (mounted, real)| text.replace(&format!("{mounted}/"), &format!("{real}/")))
    }

    /// Does that in files that contain paths.
    fn correct(&self, directory: &Path) -> Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                fs::write(&path, self.located(&fs::read_to_string(&path)?))?;
            }
        }
        Ok(())
    }
}

/// The files of a volume.
async fn files(namespace: &Namespace<'_>, volume: &Volume) -> Result<Files> {
    if let Some(source) = &volume.secret {
        return secret(namespace, source.secret_name.as_deref().unwrap_or_default(), source.items.as_deref()).await;
    }
    let Some(projected) = &volume.projected else {
        bail!("the volume `{}` has a type that the tests do not support", volume.name);
    };
    let mut files = Files::new();
    for source in projected.sources.iter().flatten() {
        if let Some(source) = &source.secret {
            files.extend(secret(namespace, &source.name, source.items.as_deref()).await?);
        } else if let Some(source) = &source.config_map {
            files.extend(config_map(namespace, &source.name, source.items.as_deref()).await?);
        } else {
            bail!("the volume `{}` has a source that the tests do not support", volume.name);
        }
    }
    Ok(files)
}

async fn secret(namespace: &Namespace<'_>, name: &str, items: Option<&[KeyToPath]>) -> Result<Files> {
    let secret: Secret = namespace.api().get(name).await.with_context(|| format!("the Secret `{name}`"))?;
    chosen(
        secret.data.unwrap_or_default().into_iter().map(|(key, ByteString(content))| (key, content)).collect(),
        items,
    )
}

async fn config_map(namespace: &Namespace<'_>, name: &str, items: Option<&[KeyToPath]>) -> Result<Files> {
    let map: ConfigMap = namespace.api().get(name).await.with_context(|| format!("the ConfigMap `{name}`"))?;
    chosen(map.data.unwrap_or_default().into_iter().map(|(key, text)| (key, text.into_bytes())).collect(), items)
}

/// All keys, or the selected ones, with their paths.
fn chosen(mut data: Files, items: Option<&[KeyToPath]>) -> Result<Files> {
    let Some(items) = items else { return Ok(data) };
    let take = |item: &KeyToPath| {
        let content = data.remove(&item.key).with_context(|| format!("no key `{}`", item.key))?;
        Ok((item.path.clone(), content))
    };
    items.iter().map(take).collect()
}
