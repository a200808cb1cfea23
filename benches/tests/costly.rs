//! No part of a review makes its cost grow faster than its size.

use std::time::Duration;

use mimic_benches::costly::{CASES, Cost};
use mimic_k8s::admission::{MAX_STEPS, Skip};

/// What is measured: long enough for the clock, short enough for a build without optimisation.
const TIME: Duration = Duration::from_millis(10);

#[test]
fn twice_the_size_costs_no_more_than_about_twice_the_time() {
    for case in CASES {
        let measure = |size: usize| case.measure(size).expect("the rules and the review are valid");
        let grows_too_fast = |half: &Cost, whole: &Cost| {
            // A quadratic cost grows by four.
            whole.time > half.time * 3 || whole.steps > half.steps * 5 / 2
        };
        let mut size = case.size / 64;
        let mut half = measure(size);
        let mut whole = measure(2 * size);
        while half.time < TIME && 2 * size < case.size && whole.skipped.is_none() {
            size *= 2;
            half = whole;
            whole = measure(2 * size);
        }
        // Memory that is used for the first time, and other processes on the same core, cost time too.
        for _ in 0..2 {
            if grows_too_fast(&half, &whole) {
                (half, whole) = (measure(size), measure(2 * size));
            }
        }
        assert!(!grows_too_fast(&half, &whole), "{} {}: {half:?}, {whole:?}", 2 * size, case.name);
    }
}

#[test]
fn a_review_is_evaluated_or_costs_no_more_than_its_budget() {
    for case in CASES {
        let cost = case.measure(case.size / 8).expect("the rules and the review are valid");
        assert!(cost.body <= 1 << 20, "{}: {} bytes, so that the whole has 8 MiB", case.name, cost.body);
        assert!(cost.steps <= MAX_STEPS, "{}: {cost:?}", case.name);
        match cost.skipped {
            None => {}
            Some(skip) => assert_eq!((skip, cost.steps), (Skip::TooCostly, MAX_STEPS), "{}", case.name),
        }
    }
}
