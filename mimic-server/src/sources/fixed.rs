use mimic_core::{MirrorSource, Rule, RuleList, SourceError, async_trait};

/// A list that never changes: that of a variable, or an example.
pub(crate) struct Fixed {
    name: &'static str,
    rules: Vec<Rule>,
}

impl Fixed {
    pub(crate) fn new(name: &'static str, rules: Vec<Rule>) -> Self {
        Self { name, rules }
    }
}

#[async_trait]
impl MirrorSource for Fixed {
    fn name(&self) -> &str {
        self.name
    }

    async fn load(&self) -> Result<RuleList, SourceError> {
        Ok(RuleList { rules: self.rules.clone(), problems: Vec::new() })
    }
}
