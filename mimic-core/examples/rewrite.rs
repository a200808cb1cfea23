//! Embeds the rewriter: builds rules and rewrites the images given as arguments.

#![expect(clippy::print_stdout, reason = "the example prints its results")]

use mimic_core::{Context, Hint as _, Rewriter, Rule};

const MIRRORS: [(&str, &str); 3] =
    [("docker.io", "harbor.example.com/dockerhub"), ("ghcr.io", "harbor.example.com/ghcr"), ("quay.io", "harbor:quay")];

fn main() {
    let mut rules = Vec::new();
    for (upstream, location) in MIRRORS {
        match Rule::mirror(upstream, location) {
            Ok(rule) => rules.push(rule),
            Err(error) => println!("skipped: {}", error.full_message()),
        }
    }
    let rewriter = Rewriter::new([("example", rules.into())]);
    let mut images: Vec<String> = std::env::args().skip(1).collect();
    if images.is_empty() {
        images = ["nginx:1.27", "ghcr.io/acme/app", "quay.io/acme/app", "Nginx"].map(str::to_owned).into();
    }
    for image in &images {
        println!("{image}: {}", rewriter.rewrite(image, &Context::default()));
    }
}
