//! A source that runs for years must not grow.

use fake_harbor::{Answer, Fake, PASSWORD, proxy_projects};
use mimic_core::MirrorSource as _;
use mimic_harbor::{Address, Credentials, Harbor, HarborSettings, HarborSource};

/// How many more bytes a source holds after `loads` loads than before. Every third load fails half-way.
fn growth(loads: usize) -> i64 {
    let fake = Fake::start();
    fake.forget_requests();
    let mut settings = HarborSettings::new(Address::parse(&fake.url()).expect("the fake has an address"));
    settings.credentials = Some(Credentials::new("robot-project-list+registry-list", PASSWORD));
    let harbor = Harbor::new(settings).expect("valid settings");
    let source = HarborSource::new("harbor", harbor);
    let asked = std::sync::atomic::AtomicUsize::new(0);
    fake.misbehave(move |request, _| {
        let turn =
            asked.fetch_add(usize::from(request.path.ends_with("/systeminfo")), std::sync::atomic::Ordering::Relaxed);
        (turn.is_multiple_of(3) && request.path == proxy_projects(1)).then(|| Answer::error(500, "down"))
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let run = |loads: usize| {
        for _ in 0..loads {
            drop(runtime.block_on(source.load()));
        }
    };
    // Until all buffers and pools have their full size.
    run(20);
    allocation_counter::measure(|| run(loads)).bytes_current
}

#[test]
fn memory_stays_flat_over_refreshes() {
    let growth = growth(200);
    assert!(growth < 16 << 10, "{growth} bytes more after 200 refreshes");
}

#[test]
#[ignore = "takes half a minute; run with `--ignored` after a change to the client"]
fn memory_stays_flat_over_ten_thousand_refreshes() {
    let growth = growth(10_000);
    eprintln!("{growth} bytes more after 10000 refreshes");
    assert!(growth < 16 << 10, "{growth} bytes more after 10000 refreshes");
}
