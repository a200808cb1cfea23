//! Any projects and registry endpoints of a Harbor give rules that lead to that Harbor, one for each upstream, whatever
//! the order of the lists is.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use mimic_core::Rule;
use mimic_fuzz::assert_rewrites;
use mimic_harbor::ProxyProject;
use mimic_harbor::fuzzing::{REGISTRY, evaluate};

fuzz_target!(|text: &str| {
    for private in [false, true] {
        let Some(projects) = evaluate(text, private, false) else { return };
        let reversed = evaluate(text, private, true).expect("it could be read before");
        assert_eq!(described(&projects), described(&reversed));
        let mut upstreams = BTreeSet::new();
        let mut rules: Vec<Rule> = Vec::new();
        for (project, rule) in &projects {
            assert_ne!(project.skipped.is_some(), rule.is_some(), "{project:?}");
            assert!(project.skipped.as_ref().is_none_or(|reason| !reason.to_string().is_empty()));
            let Some(rule) = rule else { continue };
            assert!(private || project.public, "{project:?}");
            assert_eq!(rule.pull_secret().is_some(), !project.public, "{project:?}");
            let upstream = project.upstream.as_deref().expect("a rule has an upstream");
            assert_ne!(upstream.split('/').next(), Some(REGISTRY), "{project:?}");
            for mirror in rule.mirrors() {
                let location = mirror.location().as_str();
                assert!(location.starts_with(&format!("{REGISTRY}/{}", project.name)), "{location}");
            }
            if project.filter.is_none() {
                assert!(upstreams.insert(upstream.to_owned()), "{upstream} has two rules");
            }
            rules.push(rule.clone());
        }
        assert_rewrites(rules);
    }
});

fn described(projects: &[(ProxyProject, Option<Rule>)]) -> Vec<String> {
    projects.iter().map(|(project, rule)| format!("{project:?} {rule:?}")).collect()
}
