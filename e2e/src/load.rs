//! Creates pods continuously.

use std::cell::{Cell, RefCell};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use serde_json::json;

use crate::{Namespace, images, wait::eventually};

/// What the mirrors of most tests make of `nginx`.
const REWRITTEN: &str = "harbor.example.com/dockerhub/library/nginx";

/// What became of the pods.
#[derive(Clone, Debug)]
pub struct Count {
    admitted: usize,
    failures: Vec<String>,
}

impl Count {
    /// # Errors
    /// If a pod was rejected or not rewritten.
    pub fn none_failed(self) -> Result<()> {
        ensure!(self.failures.is_empty(), "of {} pods: {:#?}", self.total(), self.failures);
        Ok(())
    }

    /// Why pods were rejected, or that they were not rewritten.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// How many pods were created or rejected.
    pub fn total(&self) -> usize {
        self.admitted + self.failures.len()
    }
}

/// Creates pods with two concurrent requests, as dry runs, and counts those that are rejected or not rewritten.
#[derive(Debug)]
pub struct Load {
    /// What the image must become.
    expected: String,
    admitted: Cell<usize>,
    failures: RefCell<Vec<String>>,
}

impl Load {
    /// Runs `work` under load. `work` can wait for more pods.
    ///
    /// # Errors
    /// If a pod was rejected or not rewritten.
    pub async fn during<T>(namespace: &Namespace<'_>, work: impl AsyncFnOnce(&Self) -> Result<T>) -> Result<T> {
        let mut done = None;
        let work = async |load: &Self| {
            done = Some(work(load).await?);
            Ok(())
        };
        Self::of(namespace, REWRITTEN, work).await?.none_failed()?;
        done.context("the work is done")
    }

    /// Runs `work` under load of pods whose image `nginx` must become this one, and counts.
    ///
    /// # Errors
    /// If `work` fails.
    pub async fn of(
        namespace: &Namespace<'_>,
        expected: &str,
        work: impl AsyncFnOnce(&Self) -> Result<()>,
    ) -> Result<Count> {
        let load = Self { expected: expected.to_owned(), admitted: Cell::default(), failures: RefCell::default() };
        tokio::select! {
            done = work(&load) => done?,
            () = load.create(namespace.api()) => unreachable!("it goes on for ever"),
            () = load.create(namespace.api()) => unreachable!("it goes on for ever"),
        }
        Ok(Count { admitted: load.admitted.get(), failures: load.failures.into_inner() })
    }

    /// Waits until so many more pods were created.
    pub async fn more(&self, count: usize) -> Result<()> {
        let enough = self.admitted.get() + count;
        eventually("pods are created", async || Ok(self.admitted.get() >= enough)).await
    }

    async fn create(&self, pods: Api<Pod>) {
        loop {
            match create_expecting(&pods, &self.expected).await {
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
    create_expecting(pods, REWRITTEN).await
}

async fn create_expecting(pods: &Api<Pod>, expected: &str) -> kube::Result<bool> {
    let pod = json!({"metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": "nginx"}]}});
    let pod: Pod = serde_json::from_value(pod).map_err(kube::Error::SerdeError)?;
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let stored = pods.create(&dry_run, &pod).await?;
    Ok(images(&stored) == [("web", expected)])
}
