/// What is measured, in processor time per reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Mimic's parser.
    Parse,
    /// The parser of the Rust library `oci-spec`.
    OciSpec,
    /// The parser of the Go library `distribution/reference`, which is the kubelet's.
    Go,
    /// Parsing, matching and building the new reference, with the rules of an organisation.
    Rewrite,
    /// The same with ten thousand more rules.
    RewriteMany,
    /// `mimic rewrite` on a file; its output is discarded.
    Command,
    /// `wc -l` on the same file.
    Count,
    /// `sed`, which inserts text at the start of each line.
    Sed,
}

impl Subject {
    /// All subjects, each with its name and with the subjects that it is compared to.
    pub const ALL: [(Self, &'static str, &'static [Self]); 8] = [
        (Self::Parse, "parse", &[Self::OciSpec, Self::Go]),
        (Self::OciSpec, "`oci-spec` parses", &[]),
        (Self::Go, "`distribution/reference` parses", &[]),
        (Self::Rewrite, "parse, match, build", &[Self::OciSpec, Self::Go]),
        (Self::RewriteMany, "the same, 10,000 more rules", &[Self::Rewrite, Self::OciSpec, Self::Go]),
        (Self::Command, "`mimic rewrite`", &[Self::Count, Self::Sed]),
        (Self::Count, "`wc -l`", &[]),
        (Self::Sed, "`sed 's,^,harbor.example.com/,'`", &[]),
    ];
}
