//! Programs that the tests run.

use std::{
    env,
    ffi::OsStr,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, LazyLock, Mutex, PoisonError},
    thread,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{tools, wait::eventually_some};

/// A command without the environment: nothing that the person who runs the tests has set may change them, but for
/// where programs are.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null());
    if let Some(path) = env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// The same for a program that goes on until it is ended.
///
/// With `setpriv` of util-linux at hand, the kernel ends it with the thread that starts it: a test process that is
/// killed drops nothing.
pub(crate) fn background_command(program: impl AsRef<OsStr>) -> Command {
    static HAS_SETPRIV: LazyLock<bool> =
        LazyLock::new(|| tools::runs("setpriv", &["--pdeathsig", "KILL", "--", "true"]));
    if !*HAS_SETPRIV {
        return command(program);
    }
    let mut command = command("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// A program in the background that logs to standard error. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts it. Its log is shown under this name when the test fails.
    pub(crate) fn start(name: &'static str, mut command: Command) -> Result<Self> {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{name} did not start"))?;
        let stderr = child.stderr.take().with_context(|| format!("{name} has no standard error"))?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let process = Self { name, child, log: Arc::clone(&log) };
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // The test runner holds this back unless the test fails.
                eprintln!("{name}: {line}");
                log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Ok(process)
    }

    /// Waits until its log has a line with this text, and returns the line.
    pub(crate) async fn logged(&self, text: &str) -> Result<String> {
        eventually_some(&format!("{} logs `{text}`", self.name), async || Ok(self.line_with(text))).await
    }

    /// The same when it starts: if it has ended, there is nothing to wait for.
    pub(crate) async fn started(&mut self, text: &str) -> Result<String> {
        eventually_some(&format!("{} logs `{text}`", self.name), async || {
            self.check_alive()?;
            Ok(self.line_with(text))
        })
        .await
    }

    fn line_with(&self, text: &str) -> Option<String> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().find(|line| line.contains(text)).cloned()
    }

    /// How many lines of its log so far have this text.
    pub(crate) fn count(&self, text: &str) -> usize {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().filter(|line| line.contains(text)).count()
    }

    /// # Errors
    /// When it has ended.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("{} ended: {status}", self.name),
            None => Ok(()),
        }
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) -> Result<()> {
        let status = command("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        ensure!(status.success(), "{} could not be asked to end", self.name);
        Ok(())
    }

    /// Waits until it has ended, and tells whether it says that all went well.
    pub(crate) async fn ended(&mut self) -> Result<bool> {
        let what = format!("{} has ended", self.name);
        eventually_some(&what, async || Ok(self.child.try_wait()?.map(|status| status.success()))).await
    }

    /// Ends it without notice.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only for a process that has ended already.
        let _ = self.kill();
    }
}
