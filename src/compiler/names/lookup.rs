//! The lookup: the meaning of a path at a site.

use super::{BlockKind, BodyNode, INSTANCE_ID, Linked, Miss, Names, OutcomePart, Site, Step, Target};
use crate::language::diagnostic::Unavailable;
use crate::language::scenario::EventTime;

impl Names<'_> {
    /// Returns the meaning of `path` at `site`.
    pub fn find(&self, site: Site, path: &[String]) -> Result<Target, Miss> {
        self.find_surely(site, path).map_err(|miss| match miss {
            Miss::Name | Miss::Var(_) | Miss::Attribute { .. } if self.lacks_names => Miss::Unsure,
            miss => miss,
        })
    }

    fn find_surely(&self, site: Site, path: &[String]) -> Result<Target, Miss> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let Some((&head, rest)) = path.split_first() else { return Err(Miss::Name) };
        match head {
            "random" | "time" | "trace" | "span" => Ok(Target::Function),
            "vars" if rest.is_empty() => Err(Miss::NotAValue("vars.NAME")),
            "vars" => {
                let name = rest.join(".");
                self.var(site, &name).unwrap_or(Err(Miss::Var(name)))
            }
            "scenario" if rest == ["name"] => Ok(Target::ScenarioName),
            "scenario" => Err(Miss::NotAValue("scenario.name")),
            "repeat" => self.find_turn(site, rest),
            "error" | "ok" => self.find_outcome(site, head, rest),
            "retry" => self.find_attempt(site, rest),
            "callee" => self.find_callee(site, rest),
            "parent" | "root" | "linked" | "service" | "instance" | "context_key" => match self.span_at(site) {
                None => Err(Miss::Unavailable(Unavailable::BeforeSpans)),
                Some(span) => match (site, head) {
                    (Site::Link { link, .. }, "linked") => linked(rest).map(|read| Target::Found { span, link, read }),
                    (Site::Link { .. }, "context_key") => Err(Miss::Unavailable(Unavailable::BeforeAttributes)),
                    _ => self.find_of_span(site, span, head, rest),
                },
            },
            _ => match self.find_bare(site, &path.join(".")) {
                Err(Miss::Name) if head == "incident" && !rest.is_empty() => self.find_incident(&rest.join(".")),
                found => found.and_then(|target| self.in_time(site, target)),
            },
        }
    }

    /// Finds an incident by its name.
    fn find_incident(&self, name: &str) -> Result<Target, Miss> {
        let found = self.model.incidents.iter().position(|incident| incident.name.value == name);
        found.map(Target::Incident).ok_or_else(|| Miss::Incident(name.into()))
    }

    /// Returns the scope of `site`.
    fn scope(&self, site: Site) -> usize {
        match site {
            Site::Repeat { item } => self.blocks[self.items[item].list].scope,
            Site::Turn { item } | Site::Failure { item } => self.items[item].scope,
            Site::Var { scope } | Site::Given { scope, .. } | Site::Span { scope, .. } | Site::End { scope, .. } => {
                scope
            }
            Site::Link { span, link } => self.spans[span].links[link].scope,
            Site::Event { span, event } => self.spans[span].events[event].scope,
        }
    }

    /// Reports whether `site` is in a shared span.
    pub fn is_shared(&self, site: Site) -> bool {
        self.body(site).is_some()
    }

    /// Returns the innermost body of a shared span that contains `site`.
    fn body(&self, site: Site) -> Option<&BodyNode<'_>> {
        self.scopes[self.scope(site)].body.map(|body| &self.bodies[body])
    }

    /// Returns the span to which `site` belongs.
    fn span_at(&self, site: Site) -> Option<usize> {
        match site {
            Site::Var { .. } => None,
            Site::Repeat { item } | Site::Turn { item } | Site::Failure { item } => {
                Some(self.blocks[self.items[item].list].span)
            }
            Site::Given { span, .. } | Site::Span { span, .. } | Site::End { span, .. } => Some(span),
            Site::Link { span, .. } | Site::Event { span, .. } => Some(span),
        }
    }

    fn find_var(&self, scope: usize, name: &str) -> Option<usize> {
        let mut scopes = std::iter::successors(Some(scope), |&scope| self.scopes[scope].outer);
        scopes.find_map(|scope| self.scopes[scope].vars.get(name).copied())
    }

    /// Returns the items around `site`, the nearest first. In a shared span, the item that uses it is the last.
    fn items_around(&self, site: Site) -> impl Iterator<Item = usize> {
        let caller = |block: usize| self.blocks[block].caller;
        let caller_of_span = move |span: usize| caller(self.spans[span].block);
        let first = match site {
            Site::Var { .. } => None,
            Site::Repeat { item } => caller(self.items[item].list),
            Site::Turn { item } | Site::Failure { item } => Some(item),
            Site::Given { span, .. } | Site::Span { span, .. } | Site::End { span, .. } => caller_of_span(span),
            Site::Link { span, .. } | Site::Event { span, .. } => caller_of_span(span),
        };
        let user = self.body(site).and_then(|body| caller_of_span(body.span));
        let last = user.map(|item| self.items[item].wrapper.unwrap_or(item));
        std::iter::successors(first, move |&item| if Some(item) == last { None } else { caller(self.items[item].list) })
    }

    /// Finds `retry.attempt` of the nearest item that is retried.
    fn find_attempt(&self, site: Site, rest: &[&str]) -> Result<Target, Miss> {
        let tries = |&item: &usize| self.items[item].has_words && self.items[item].item.retry.is_some();
        match (rest, self.items_around(site).find(tries)) {
            (["attempt"], Some(item)) => Ok(Target::Attempt { item }),
            (["attempt"], None) if self.body(site).is_some() => Ok(Target::Number(0)),
            (["attempt"], None) => Err(Miss::Unavailable(Unavailable::NoRetry)),
            _ => Err(Miss::NotAValue("retry.attempt")),
        }
    }

    /// Finds `repeat.index` and `repeat.count` of the nearest item that repeats.
    fn find_turn(&self, site: Site, rest: &[&str]) -> Result<Target, Miss> {
        if let Site::Event { span, event } = site
            && self.spans[span].events[event].part.repeat.is_some()
        {
            return match rest {
                ["index"] => Ok(Target::EventIndex { span, event }),
                ["count"] => Ok(Target::EventCount { span, event }),
                _ => Err(Miss::NotAValue("repeat.index or repeat.count")),
            };
        }
        let item = self.items_around(site).find(|&item| self.items[item].repeats);
        match (rest, item) {
            (["index"], Some(item)) => Ok(Target::RepeatIndex { item }),
            (["count"], Some(item)) => Ok(Target::RepeatCount { item }),
            (["index"], None) if self.body(site).is_some() => Ok(Target::Number(0)),
            (["count"], None) if self.body(site).is_some() => Ok(Target::Number(1)),
            (["index" | "count"], None) => Err(Miss::Unavailable(Unavailable::NoRepeat)),
            _ => Err(Miss::NotAValue("repeat.index or repeat.count")),
        }
    }

    /// Finds `callee.attributes.K` and `callee.service.name` of the span that a client calls.
    fn find_callee(&self, site: Site, rest: &[&str]) -> Result<Target, Miss> {
        let client = match site {
            Site::End { span, .. } | Site::Span { span, step: Some(Step::Attribute(_)), .. } => Some(span),
            _ => None,
        };
        let request = client.and_then(|client| self.spans[client].request.as_ref());
        let Some(span) = request.map(|request| request.server) else {
            return Err(Miss::Unavailable(Unavailable::NoCallee));
        };
        match rest {
            ["service", "name"] => Ok(Target::ServiceName { span }),
            ["attributes", key @ ..] if !key.is_empty() => match self.attribute(span, "called", key.join("."))? {
                Target::Attribute { span, attribute } => Ok(Target::Answer { span, attribute }),
                found => Ok(found),
            },
            _ => Err(Miss::NotAValue("callee.attributes.KEY or callee.service.name")),
        }
    }

    /// Refuses an attribute of a client that reads the answer, if it is read before the answer.
    fn in_time(&self, site: Site, target: Target) -> Result<Target, Miss> {
        match target {
            Target::Attribute { span, attribute } if self.spans[span].attributes[attribute].is_late => match site {
                Site::End { .. } | Site::Span { step: Some(Step::Attribute(_)), .. } => Ok(target),
                _ => Err(Miss::Unavailable(Unavailable::NoAnswer)),
            },
            _ => Ok(target),
        }
    }

    /// Finds `error.propagated` of the span at whose end it is read.
    fn find_propagated(&self, site: Site) -> Result<Target, Miss> {
        match site {
            Site::End { span, .. } => Ok(Target::Propagated { list: self.spans[span].block }),
            _ => Err(Miss::Unavailable(Unavailable::BeforeEnd)),
        }
    }

    /// Finds `error`, `ok` and `error.type` of the call before in the list of an item.
    fn find_outcome(&self, site: Site, head: &str, rest: &[&str]) -> Result<Target, Miss> {
        let read = match (head, rest) {
            ("error", []) => OutcomePart::Error,
            ("ok", []) => OutcomePart::Ok,
            ("error", ["type"]) => OutcomePart::Type,
            ("error", ["propagated"]) => return self.find_propagated(site),
            ("error", _) => return Err(Miss::NotAValue("error or error.type")),
            _ => return Err(Miss::NotAValue("ok")),
        };
        let is_at_end = |span: usize, event: usize| matches!(self.spans[span].events[event].part.at, EventTime::End);
        let site = match site {
            Site::Event { span, event } if is_at_end(span, event) => Site::End { span, scope: self.scope(site) },
            site => site,
        };
        let item = match site {
            Site::Repeat { item } | Site::Turn { item } => item,
            Site::Failure { item } => return Ok(Target::Outcome { list: self.items[item].list, read }),
            Site::End { span, .. } => {
                let list = self.spans[span].block;
                return if !self.blocks[list].items.is_empty() {
                    Ok(Target::Outcome { list, read })
                } else if self.body(site).is_some_and(|body| self.is_made_from(span, body)) {
                    // Other uses of the shared span may come after calls.
                    Ok(Target::NoOutcome(read))
                } else {
                    Err(Miss::NoCallBefore)
                };
            }
            Site::Var { .. } | Site::Given { .. } | Site::Span { .. } | Site::Link { .. } | Site::Event { .. } => {
                return Err(Miss::Unavailable(Unavailable::OutsideItems));
            }
        };
        let item = self.items[item].wrapper.unwrap_or(item);
        let list = self.items[item].list;
        let is_first = self.blocks[list].items.first() == Some(&item);
        if is_first || matches!(self.blocks[list].kind, BlockKind::Parallel(_)) {
            return Err(Miss::NoCallBefore);
        }
        Ok(Target::Outcome { list, read })
    }

    fn find_of_span(&self, site: Site, span: usize, head: &str, rest: &[&str]) -> Result<Target, Miss> {
        // The span's own values are evaluated after its parameters.
        let is_given = matches!(site, Site::Given { .. });
        let key = match rest {
            ["attributes", key @ ..] if !key.is_empty() => Some(key.join(".")),
            _ => None,
        };
        match (head, key) {
            ("parent", Some(key)) => {
                let parent = self.spans[span].parent.ok_or(Miss::Unavailable(Unavailable::NoParent))?;
                self.attribute(parent, "parent", key)
            }
            ("parent", None) => Err(Miss::NotAValue("parent.attributes.KEY")),
            ("root", Some(_)) if is_given && span == 0 => Err(Miss::Unavailable(Unavailable::BeforeSpan)),
            ("root", Some(key)) => self.attribute(0, "root", key),
            ("root", None) => Err(Miss::NotAValue("root.attributes.KEY")),
            ("linked", _) => {
                let read = linked(rest)?;
                let linking = self.ancestry(span).find(|&s| !self.spans[s].links.is_empty());
                if is_given && linking == Some(span) {
                    return Err(Miss::Unavailable(Unavailable::BeforeSpan));
                }
                linking.map(|span| Target::Linked { span, read }).ok_or(Miss::LinkedWithoutLink)
            }
            ("service", _) if rest == ["name"] => Ok(Target::ServiceName { span }),
            ("service", _) if rest == ["version"] => Ok(Target::Resource { span, key: "service.version" }),
            ("service", _) => Err(Miss::NotAValue("service.name or service.version")),
            ("instance", _) if rest == ["index"] => Ok(Target::InstanceIndex { span }),
            ("instance", _) if rest == ["id"] => Ok(Target::Resource { span, key: INSTANCE_ID }),
            ("instance", _) => Err(Miss::NotAValue("instance.index or instance.id")),
            _ if !rest.is_empty() => Err(Miss::NotAValue("context_key")),
            _ if is_given => Err(Miss::Unavailable(Unavailable::BeforeSpan)),
            _ if self.spans[span].export.is_none() => Err(Miss::Unavailable(Unavailable::NoContextKey)),
            _ => Ok(Target::ContextKey { span }),
        }
    }

    fn attribute(&self, span: usize, relation: &'static str, key: String) -> Result<Target, Miss> {
        match self.spans[span].find_attribute(&key) {
            Some(attribute) => Ok(Target::Attribute { span, attribute }),
            None => Err(Miss::Attribute { relation, span, key }),
        }
    }

    /// Finds a bare name: a var, or one of the span's own attributes except the one being defined, or the nearest
    /// ancestor's attribute.
    fn find_bare(&self, site: Site, name: &str) -> Result<Target, Miss> {
        let missed = match self.var(site, name) {
            // An attribute may have the name that no column has.
            Some(Err(Miss::Column { var, name })) => Miss::Column { var, name },
            Some(found) => return found,
            None => Miss::Name,
        };
        let found = self.spans_known(site).find_map(|span| {
            let attribute = self.spans[span].find_attribute(name)?;
            self.is_known(site, span, attribute).then_some((span, attribute))
        });
        match (found, site) {
            (Some((found, _)), Site::Link { span, .. }) if found == span => {
                Err(Miss::Unavailable(Unavailable::BeforeAttributes))
            }
            (Some((span, attribute)), _) => Ok(Target::Attribute { span, attribute }),
            (None, _) => Err(missed),
        }
    }

    /// Returns the spans whose attributes can be read by their bare keys at `site`, the nearest first. In a shared span,
    /// none is beyond the span that is made from it.
    fn spans_known(&self, site: Site) -> impl Iterator<Item = usize> {
        let body = self.body(site);
        let is_last = move |span: usize| body.is_some_and(|body| self.is_made_from(span, body));
        let outer = move |span: usize| if is_last(span) { None } else { self.spans[span].parent };
        let first = match site {
            Site::Given { span, .. } => outer(span),
            _ => self.span_at(site),
        };
        std::iter::successors(first, move |&span| outer(span))
    }

    /// Reports whether a span, or the server of that client, is made from the shared span with this body.
    fn is_made_from(&self, span: usize, body: &BodyNode) -> bool {
        body.span == span || self.spans[span].client == Some(body.span)
    }

    /// Reports whether an attribute of a span can be read by its bare key at `site`: it is not the one being defined, and
    /// `site` is not in a shared span that does not have it.
    fn is_known(&self, site: Site, span: usize, attribute: usize) -> bool {
        let defined = match site {
            Site::Span { span, step: Some(Step::Attribute(defined)), .. } => Some((span, defined)),
            _ => None,
        };
        let layer = self.body(site).map_or(0, |body| if self.is_made_from(span, body) { body.layer } else { 0 });
        defined != Some((span, attribute)) && self.spans[span].attributes[attribute].layer >= layer
    }

    /// Returns the var of this name, or the column of one that is a row.
    fn var(&self, site: Site, name: &str) -> Option<Result<Target, Miss>> {
        let scope = self.scope(site);
        if let Some(var) = self.find_var(scope, name) {
            return Some(if self.rows(var).is_some() { Err(Miss::Row { var }) } else { Ok(Target::Var(var)) });
        }
        // Of several that fit, the longest one is meant.
        let rows = name.rmatch_indices('.').find_map(|(dot, _)| {
            let var = self.find_var(scope, &name[..dot])?;
            let rows = self.rows(var);
            (rows.is_some() || self.is_wrong(var)).then_some((var, rows, &name[dot + 1..]))
        });
        let (var, rows, column) = rows?;
        // The var may have been meant to be rows, which has been reported.
        let Some(rows) = rows else { return Some(Ok(Target::Var(var))) };
        let found = rows.columns.iter().position(|other| other.name == column);
        Some(found.map(|column| Target::Column { var, column }).ok_or(Miss::Column { var, name: column.to_owned() }))
    }

    /// Returns the span, its parent, and so on up to the root.
    fn ancestry(&self, span: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(span), |&s| self.spans[s].parent)
    }

    /// Returns all names that a bare name could mean at `site`, the nearest first.
    pub fn names(&self, site: Site) -> impl Iterator<Item = &str> {
        let keys = self.spans_known(site).flat_map(move |span| {
            let known = self.keys(span).enumerate().filter(move |(at, _)| self.is_known(site, span, *at));
            known.map(|(_, key)| key)
        });
        self.var_names(site).chain(keys)
    }

    /// Returns the names of the vars in scope at `site`, the nearest first.
    pub fn var_names(&self, site: Site) -> impl Iterator<Item = &str> {
        let scopes = std::iter::successors(Some(self.scope(site)), |&scope| self.scopes[scope].outer);
        scopes.flat_map(|scope| self.scopes[scope].vars.keys().copied())
    }

    /// Returns the nearest ancestor of `span` that has the attribute.
    pub fn owner(&self, span: usize, key: &str) -> Option<usize> {
        self.ancestry(span).find(|&at| self.spans[at].find_attribute(key).is_some())
    }
}

/// Returns the value of a linked span that the path after `linked` reads.
fn linked(rest: &[&str]) -> Result<Linked, Miss> {
    match rest {
        ["attributes", key @ ..] if !key.is_empty() => Ok(Linked::Attribute(key.join("."))),
        ["context_key"] => Ok(Linked::ContextKey),
        _ => Err(Miss::NotAValue("linked.attributes.KEY or linked.context_key")),
    }
}
