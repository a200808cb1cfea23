//! Creates pods continuously.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use serde_json::json;

use crate::{Namespace, images, wait::eventually};

/// Creates pods with two concurrent requests, as dry runs, and counts those that are rejected or not rewritten.
#[derive(Debug, Default)]
pub struct Load {
    admitted: Cell<usize>,
    failures: RefCell<Vec<String>>,
}

impl Load {
    /// Runs `work` under load. `work` can wait for more pods.
    ///
    /// # Errors
    /// If a pod was rejected or not rewritten.
    pub async fn during<T>(namespace: &Namespace<'_>, work: impl AsyncFnOnce(&Self) -> Result<T>) -> Result<T> {
        let load = Rc::new(Self::default());
        let done = tokio::select! {
            done = work(&load) => done?,
            () = load.create(namespace.api()) => unreachable!("it goes on for ever"),
            () = load.create(namespace.api()) => unreachable!("it goes on for ever"),
        };
        let failures = load.failures.borrow();
        ensure!(failures.is_empty(), "of {} pods: {failures:#?}", load.admitted.get() + failures.len());
        Ok(done)
    }

    /// Waits until so many more pods were created.
    pub async fn more(&self, count: usize) -> Result<()> {
        let enough = self.admitted.get() + count;
        eventually("pods are created", async || Ok(self.admitted.get() >= enough)).await
    }

    async fn create(&self, pods: Api<Pod>) {
        loop {
            match create(&pods).await {
                Ok(true) => self.admitted.set(self.admitted.get() + 1),
                Ok(false) => self.failures.borrow_mut().push("a pod was not rewritten".to_owned()),
                Err(error) => self.failures.borrow_mut().push(error.to_string()),
            }
        }
    }
}

/// Whether a new pod, created as a dry run, is rewritten.
///
/// # Errors
/// If it is rejected.
pub async fn create(pods: &Api<Pod>) -> kube::Result<bool> {
    let pod = json!({"metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": "nginx"}]}});
    let pod: Pod = serde_json::from_value(pod).map_err(kube::Error::SerdeError)?;
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let stored = pods.create(&dry_run, &pod).await?;
    Ok(images(&stored) == [("web", "harbor.example.com/dockerhub/library/nginx")])
}
