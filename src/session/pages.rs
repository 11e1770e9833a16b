//! What every function says of itself, whatever it is made of: one source for the command line, the
//! catalog that clients read, and the generated page.

use runrate_udfs::relation::{RELATION_FUNCTIONS, RelationFunction};

use super::TableFunctionDefinition;

/// What a function says of itself.
#[derive(Debug, Clone)]
pub struct FunctionPage {
    /// Name in SQL.
    pub name: String,
    /// `scalar`, `aggregate` or `table`.
    pub kind: &'static str,
    /// The call, optional arguments in brackets.
    pub syntax: String,
    /// One sentence: what it gives, or the question it answers.
    pub summary: String,
    /// Arguments with meaning and unit, in order.
    pub arguments: Vec<(String, String)>,
    /// Formula, nulls, errors, source, grain and units, each under its name.
    pub notes: Vec<(&'static str, String)>,
    /// A query that runs.
    pub example: String,
    /// What the example gives, where that is one value.
    pub gives: Option<String>,
}

/// Pages of all functions: those of the function pack, then the table functions by name.
pub fn pages(definitions: &[TableFunctionDefinition]) -> Vec<FunctionPage> {
    let pack = runrate_udfs::functions().iter().map(packed);
    let mut tables: Vec<FunctionPage> = definitions.iter().map(table).collect();
    tables.extend(RELATION_FUNCTIONS.iter().map(in_from));
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    pack.chain(tables).collect()
}

fn packed(function: &runrate_udfs::Function) -> FunctionPage {
    let page = function.page();
    let notes = [
        ("Formula", page.formula),
        ("Nulls", page.nulls),
        ("Errors", page.errors),
        ("Source", page.source),
    ];
    let arguments = page.arguments.iter().map(|(name, text)| (name.to_string(), text.to_string()));
    FunctionPage {
        name: page.name.into(),
        kind: function.kind(),
        syntax: page.syntax.into(),
        summary: page.summary.into(),
        arguments: arguments.collect(),
        notes: notes.map(|(name, text)| (name, text.to_owned())).to_vec(),
        example: page.example.0.into(),
        gives: Some(page.example.1.into()),
    }
}

fn in_from(function: &RelationFunction) -> FunctionPage {
    let notes = [("Rules", function.rules), ("Grain", function.grain), ("Units", function.units)];
    let arguments = function.parameters.iter();
    FunctionPage {
        name: function.name.into(),
        kind: "table",
        syntax: format!("{}({})", function.name, bracketed(function.parameters, function.needed)),
        summary: function.summary.into(),
        arguments: arguments.map(|name| ((*name).into(), function.meaning(name).into())).collect(),
        notes: notes.map(|(name, text)| (name, text.to_owned())).to_vec(),
        example: function.example.into(),
        gives: None,
    }
}

/// The page of a table function, from the comment that its file opens with.
fn table(definition: &TableFunctionDefinition) -> FunctionPage {
    let name = &definition.name;
    let lines: Vec<&str> = definition.comment.lines().collect();
    let fields = |key: &str| -> Vec<String> {
        let prefix = format!("{key}: ");
        lines.iter().filter_map(|line| line.strip_prefix(&prefix)).map(str::to_owned).collect()
    };
    let rules = lines.iter().skip(1).take_while(|line| !line.is_empty()).copied();
    let rules = rules.collect::<Vec<_>>().join(" ");
    let mut notes =
        vec![("Grain", fields("grain").join("; ")), ("Units", fields("unit").join("; "))];
    if !rules.is_empty() {
        notes.insert(0, ("Rules", rules));
    }
    let parameters = &definition.parameters;
    let arguments = parameters
        .iter()
        .zip(fields("parameter"))
        .map(|((name, default), field)| (name.clone(), meaning(&field, default.as_deref())));
    let needed = parameters.iter().take_while(|(_, default)| default.is_none()).count();
    let names = parameters.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    FunctionPage {
        syntax: format!("{name}({})", bracketed(&names, needed)),
        name: name.clone(),
        kind: "table",
        summary: lines.first().copied().unwrap_or_default().to_owned(),
        arguments: arguments.collect(),
        notes,
        example: definition.example.clone(),
        gives: None,
    }
}

/// `date; the day; default NULL` of `as_of date = NULL -- the day`.
fn meaning(field: &str, default: Option<&str>) -> String {
    let (declared, note) = field.split_once(" -- ").unwrap_or((field, ""));
    let kind = declared.split_whitespace().nth(1).unwrap_or_default();
    let default = match default {
        None => String::new(),
        Some(text) if text.starts_with('(') => "has a default".to_owned(),
        Some(text) => format!("default {text}"),
    };
    let parts = [kind, note, default.as_str()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// `a, b [, c [, d]]` where the first `needed` must be given.
fn bracketed(names: &[&str], needed: usize) -> String {
    let mut text = names[..needed].join(", ");
    for (place, name) in names.iter().enumerate().skip(needed) {
        let (space, comma) = if place == 0 { ("", "") } else { (" ", ", ") };
        text.push_str(&format!("{space}[{comma}{name}"));
    }
    text.push_str(&"]".repeat(names.len() - needed));
    text
}

impl FunctionPage {
    /// The note called `name`; empty if there is none.
    pub fn note(&self, name: &str) -> &str {
        self.notes.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text)
    }

    /// A line for each argument.
    pub fn argument_lines(&self) -> String {
        let lines = self.arguments.iter().map(|(name, meaning)| format!("{name}: {meaning}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// What a client shows beside the name: what it gives, its arguments, rule, source and example.
    pub fn description(&self) -> String {
        let (rule, source) =
            (["Formula", "Rules"].map(|name| self.note(name)), self.note("Source"));
        let gives = self.gives.as_deref().map(|gives| format!(" -> {gives}")).unwrap_or_default();
        let parts = [
            self.summary.clone(),
            self.argument_lines(),
            rule.concat(),
            if source.is_empty() { String::new() } else { format!("Source: {source}") },
            format!("Example: {}{gives}", self.example),
        ];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("\n")
    }

    /// The page as plain text.
    pub fn text(&self) -> String {
        let from = if self.kind == "table" { "FROM " } else { "" };
        let mut text = format!("{from}{}\n\n  {}\n\n", self.syntax, self.summary);
        for (name, meaning) in &self.arguments {
            text.push_str(&format!("  {name}: {meaning}\n"));
        }
        text.push('\n');
        for (name, note) in &self.notes {
            text.push_str(&format!("{:9}{note}\n", format!("{name}:")));
        }
        text.push_str(&format!("Example: {}\n", self.example));
        if let Some(gives) = &self.gives {
            text.push_str(&format!("         -> {gives}\n"));
        }
        text
    }

    /// The page in Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "### {} ({})\n\n{}\n\n```sql\n{}\n```\n\n",
            self.name, self.kind, self.summary, self.syntax
        );
        for (name, meaning) in &self.arguments {
            text.push_str(&format!("- `{name}`: {meaning}\n"));
        }
        text.push('\n');
        for (name, note) in &self.notes {
            text.push_str(&format!("**{name}**: {note}\n\n"));
        }
        let gives = self.gives.as_deref().map(|gives| format!("\n-- {gives}")).unwrap_or_default();
        text.push_str(&format!("```sql\n{}{gives}\n```\n", self.example));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optional_arguments_stand_in_brackets() {
        assert_eq!(bracketed(&["a", "b", "c"], 1), "a [, b [, c]]");
        assert_eq!(bracketed(&["a"], 0), "[a]");
        assert_eq!(bracketed(&["a", "b"], 2), "a, b");
        assert_eq!(bracketed(&[], 0), "");
    }

    #[test]
    fn a_table_function_tells_what_its_file_says() {
        let page = table(&TableFunctionDefinition {
            name: "days".into(),
            parameters: vec![("start".into(), None), ("step".into(), Some("1".into()))],
            sql: String::new(),
            comment: "Which days?\nAll of them.\n\nparameter: start date -- first day\n\
                      parameter: step int = 1\ngrain: one day\nunit: none"
                .into(),
            example: "SELECT 1".into(),
        });
        assert_eq!(page.syntax, "days(start [, step])");
        assert_eq!(page.summary, "Which days?");
        assert_eq!(page.arguments[0].1, "date; first day");
        assert_eq!(page.arguments[1].1, "int; default 1");
        assert!(page.text().contains("Rules:   All of them."), "{}", page.text());
        assert!(page.markdown().starts_with("### days (table)\n\nWhich days?\n"));
    }
}
