//! Programs that the tests run.

use std::{
    env,
    ffi::OsStr,
    fs::File,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, LazyLock, Mutex, PoisonError},
    thread,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{tools, wait::eventually_some};

/// A command without the environment of the user, except for the search path, so that it cannot affect tests.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null());
    if let Some(path) = env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// The same for a program that runs until it is stopped.
///
/// If `setpriv` of util-linux is available, the kernel kills it with the thread that started it, because a killed test process
/// drops nothing.
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

/// A child process. It is killed on drop.
#[derive(Debug)]
pub(crate) struct ChildProcess(Child);

impl ChildProcess {
    /// Starts it with its log in a file. Ctrl-C does not reach it: it ends the program that started it, which drops this.
    pub(crate) fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let command = command.process_group(0).stderr(File::create(log)?);
        command.spawn().map(Self).with_context(|| format!("{name} did not start"))
    }

    /// Its standard input and output, if both are piped.
    pub(crate) fn pipes(&mut self) -> Result<(ChildStdin, ChildStdout)> {
        let input = self.0.stdin.take().context("the standard input is not piped")?;
        Ok((input, self.0.stdout.take().context("the standard output is not piped")?))
    }

    /// Its process ID.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        // Fails only if the process has already ended.
        let _ = self.kill();
    }
}

/// A background program that logs to standard error. It is killed on drop.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: ChildProcess,
    log: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts it. If the test fails, its log is shown with this name.
    pub(crate) fn start(name: &'static str, mut command: Command) -> Result<Self> {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{name} did not start"))?;
        let stderr = child.stderr.take().with_context(|| format!("{name} has no standard error"))?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let process = Self { name, child: ChildProcess(child), log: Arc::clone(&log) };
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // The test runner shows this only if the test fails.
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

    /// The same at startup: fails if the program exits.
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

    /// The number of log lines so far with this text.
    pub(crate) fn count(&self, text: &str) -> usize {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().filter(|line| line.contains(text)).count()
    }

    /// # Errors
    /// If it has exited.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        match self.child.0.try_wait()? {
            Some(status) => bail!("{} ended: {status}", self.name),
            None => Ok(()),
        }
    }

    /// Sends it SIGTERM.
    pub(crate) fn terminate(&self) -> Result<()> {
        let status = command("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        ensure!(status.success(), "cannot send SIGTERM to {}", self.name);
        Ok(())
    }

    /// Waits until it exits, and returns whether it was successful.
    pub(crate) async fn ended(&mut self) -> Result<bool> {
        let what = format!("{} has ended", self.name);
        eventually_some(&what, async || Ok(self.child.0.try_wait()?.map(|status| status.success()))).await
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()
    }
}
