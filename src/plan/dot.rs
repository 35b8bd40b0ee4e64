//! The plan as a graph for Graphviz, which `compile --emit dot` prints. Its language:
//! <https://graphviz.org/doc/info/lang.html>.

use super::notation::duration;
use super::{BlockId, Inst, Plan, ScenarioId};
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

impl Plan {
    /// Returns the graph: a cluster for each scenario, a node for each span with its service, name and own delay, an edge
    /// for each call, numbered if there are several and labelled if it is not simply made once, and dashed edges from each
    /// linking span to the spans to which it may link. If many link to many by one glob, the glob has a node of its own.
    pub fn dot(&self) -> impl Display {
        fmt::from_fn(|f| {
            writeln!(f, "digraph \"plan {}\" {{", self.digest_short())?;
            writeln!(f, "  rankdir=LR")?;
            writeln!(f, "  node [shape=box style=rounded fontname=\"sans-serif\"]")?;
            writeln!(f, "  edge [fontname=\"sans-serif\"]")?;
            self.scenario_ids().try_for_each(|scenario| self.cluster(f, scenario))?;
            self.links(f)?;
            writeln!(f, "}}")
        })
    }

    fn cluster(&self, f: &mut Formatter<'_>, id: ScenarioId) -> fmt::Result {
        writeln!(f, "  subgraph cluster_{id} {{")?;
        let rate = match self.own_load(id) {
            Some(load) => format!("load {load}"),
            None => format!("weight {}", self.scenarios[id.index()].weight),
        };
        let title = format!("{} ({rate})", self.scenario_name(id));
        writeln!(f, "    label={}", quoted(&title))?;
        let blocks = self.spans_of(id);
        for block in blocks {
            writeln!(f, "    {block} [label={}]", quoted(&self.node_label(*block)))?;
        }
        for block in blocks {
            let calls = self.children_of(*block);
            let several = calls.len() > 1;
            for (n, called) in calls.iter().enumerate() {
                let mut label: Vec<String> = several.then(|| (n + 1).to_string()).into_iter().collect();
                label.extend(self.call_words(*called));
                let style = if self.is_waited_for(*called) { "" } else { " style=dotted" };
                match label.is_empty() {
                    true => writeln!(f, "    {block} -> {called}")?,
                    false => writeln!(f, "    {block} -> {called} [label={}{style}]", quoted(&label.join("\n")))?,
                }
            }
        }
        writeln!(f, "  }}")
    }

    /// Returns the label of a node: kind and service, name, and delays, each on a line.
    fn node_label(&self, id: BlockId) -> String {
        let (block, span) = (self.block(id), self.span(id));
        let mut label = format!("{} {}", span.kind.name(), self.service_name(span.service));
        if let Some(name) = span.name {
            label += &format!("\n{}", self.text(name));
        }
        for inst in &block.code {
            match *inst {
                Inst::Name { value } => label += &format!("\n{}", self.show_expr(value)),
                Inst::Delay { min, max } if min == max => label += &format!("\n{}", duration(min)),
                Inst::Delay { min, max } => label += &format!("\n{} to {}", duration(min), duration(max)),
                Inst::DelayDist { dist } => label += &format!("\n{}", self.show_dist(&self.dists[dist.index()])),
                _ => {}
            }
        }
        label
    }

    fn links(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // The blocks that look for the same keys in the same place.
        let mut users: BTreeMap<(&str, &[BlockId]), Vec<BlockId>> = BTreeMap::new();
        for block in self.block_ids() {
            for link in self.block(block).links().map(|link| &self.links[link.index()]) {
                users.entry((self.text(link.glob), &link.sources)).or_default().push(block);
            }
        }
        for (n, ((glob, sources), users)) in users.into_iter().enumerate() {
            let (node, label) = (format!("link{n}"), quoted(glob).to_string());
            if users.len() == 1 || sources.len() == 1 {
                let pairs = users.iter().flat_map(|user| sources.iter().map(move |source| (user, source)));
                pairs.into_iter().try_for_each(|(user, source)| {
                    writeln!(f, "  {user} -> {source} [style=dashed constraint=false label={label}]")
                })?;
                continue;
            }
            writeln!(f, "  {node} [shape=ellipse style=dashed label={label}]")?;
            users.iter().try_for_each(|user| writeln!(f, "  {user} -> {node} [style=dashed constraint=false]"))?;
            sources
                .iter()
                .try_for_each(|source| writeln!(f, "  {node} -> {source} [style=dashed constraint=false]"))?;
        }
        Ok(())
    }
}

/// Formats a text as a quoted string that Graphviz shows as the same text. Every backslash is doubled, because Graphviz
/// would replace `\N` and the like in a label by names. A newline becomes `\n`; other control characters can't be drawn and
/// become spaces.
fn quoted(text: &str) -> impl Display {
    fmt::from_fn(move |f| {
        f.write_str("\"")?;
        for c in text.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                // Labels may contain HTML's entities.
                '&' => f.write_str("&amp;")?,
                c if c.is_control() => f.write_str(" ")?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;

    #[test]
    fn the_graph_of_the_fixture() {
        insta::assert_snapshot!(fixture::plan().dot(), @r#"
        digraph "plan 81ad01c1" {
          rankdir=LR
          node [shape=box style=rounded fontname="sans-serif"]
          edge [fontname="sans-serif"]
          subgraph cluster_scenario0 {
            label="E-commerce Order Processing (weight 15)"
            block0 [label="SERVER api-gateway\nPOST /api/v1/orders\n5ms to 15ms"]
            block1 [label="PRODUCER order-service\nconcat \"process \" slot1\n1.5ms"]
            block0 -> block1
          }
          subgraph cluster_scenario1 {
            label="Shipping (weight 0.5)"
            block2 [label="CONSUMER shipping-service\nship\n0ms to 2s"]
          }
          block2 -> block1 [style=dashed constraint=false label="order-*"]
        }
        "#);
    }

    #[test]
    fn labels_show_texts_as_they_are() {
        assert_eq!(quoted("a\"b\\N\nc&lt;\u{0}\t é").to_string(), r#""a\"b\\N\nc&amp;lt;   é""#);
    }

    #[test]
    fn several_calls_are_numbered() {
        let mut program = fixture::program();
        let form = program.blocks[2].span().unwrap().clone();
        let form = crate::plan::SpanForm { attrs: Default::default(), ..form };
        for block in 3..5 {
            program
                .blocks
                .push(crate::plan::Block { form: crate::plan::Form::Span(form.clone()), code: vec![Inst::End] });
            let at = program.blocks[2].code.len() - 1;
            program.blocks[2].code.insert(at, Inst::Call { block: BlockId(block), spec: None });
        }
        let dot = Plan::verify(program).unwrap().dot().to_string();
        assert!(dot.contains("    block2 -> block3 [label=\"1\"]\n    block2 -> block4 [label=\"2\"]\n"), "{dot}");
    }
}
