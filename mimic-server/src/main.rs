//! The `mimic-server` command.

fn main() -> std::process::ExitCode {
    mimic_server::run()
}
