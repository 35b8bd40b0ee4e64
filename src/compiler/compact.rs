//! Leaves out what nothing uses: texts and expressions that remained after folding. The digest then covers only what is
//! executed. The others keep their order.

use crate::plan::{CallSpec, Dist, Error, Event, ExprId, Form, Inst, Link, Program, TextId};

/// Leaves out what nothing uses, and renumbers the others.
pub fn compact(program: &mut Program) {
    let mut used = vec![false; program.exprs.len()];
    each_root(program, &mut |id| used[id.index()] = true);
    for i in (0..used.len()).rev() {
        if used[i] {
            program.exprs[i].operands().for_each(|id| used[id.index()] = true);
        }
    }
    let renumber = retain(&mut program.exprs, &used);
    each_root(program, &mut |id| id.0 = renumber[id.index()]);
    program.exprs.iter_mut().flat_map(|expr| expr.operands_mut()).for_each(|id| id.0 = renumber[id.index()]);

    let mut used = vec![false; program.texts.len()];
    each_text(program, &mut |id| used[id.index()] = true);
    let renumber = retain(&mut program.texts, &used);
    each_text(program, &mut |id| id.0 = renumber[id.index()]);
}

/// Keeps the used entries, and returns the new number of each entry by its old one.
fn retain<T>(table: &mut Vec<T>, used: &[bool]) -> Vec<u32> {
    let mut next = 0;
    let renumber = used
        .iter()
        .map(|&used| {
            next += used as u32;
            next.wrapping_sub(1)
        })
        .collect();
    let mut used = used.iter();
    table.retain(|_| used.next() == Some(&true));
    renumber
}

/// Visits the expressions that are referred to from outside of expressions.
fn each_root(program: &mut Program, visit: &mut impl FnMut(&mut ExprId)) {
    program.resources.iter_mut().flat_map(|r| &mut r.attributes).for_each(|(_, value)| visit(value));
    program.scenarios.iter_mut().flat_map(|s| &mut s.vars).for_each(|(_, value)| visit(value));
    program.specs.iter_mut().flat_map(CallSpec::exprs_mut).for_each(&mut *visit);
    program.events.iter_mut().flat_map(Event::exprs_mut).for_each(&mut *visit);
    program.links.iter_mut().flat_map(Link::exprs_mut).for_each(&mut *visit);
    program.errors.iter_mut().flat_map(Error::exprs_mut).for_each(&mut *visit);
    program.dists.iter_mut().flat_map(Dist::exprs_mut).for_each(&mut *visit);
    program.blocks.iter_mut().flat_map(|b| &mut b.code).filter_map(Inst::expr_mut).for_each(visit);
}

/// Visits all texts to which the program refers.
fn each_text(program: &mut Program, visit: &mut impl FnMut(&mut TextId)) {
    program.services.iter_mut().for_each(|service| visit(&mut service.name));
    program.malformations.iter_mut().filter_map(|malformation| malformation.kind.key_mut()).for_each(&mut *visit);
    program.resources.iter_mut().flat_map(|r| &mut r.attributes).for_each(|(key, _)| visit(key));
    program.attrs.iter_mut().for_each(&mut *visit);
    program.links.iter_mut().for_each(|link| visit(&mut link.glob));
    program.incidents.iter_mut().for_each(|incident| visit(&mut incident.name));
    for scenario in &mut program.scenarios {
        visit(&mut scenario.name);
        scenario.trace_state.iter_mut().for_each(&mut *visit);
    }
    for scope in &mut program.scopes {
        visit(&mut scope.name);
        scope.version.iter_mut().for_each(&mut *visit);
    }
    for block in &mut program.blocks {
        let Form::Span(span) = &mut block.form else { continue };
        span.name.iter_mut().for_each(&mut *visit);
        for (key, value) in &mut span.constants {
            visit(key);
            value.each_text_mut(visit);
        }
    }
    program.exprs.iter_mut().for_each(|expr| expr.each_text_mut(visit));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiler::tables::Tables;
    use crate::plan::{Expr, Resource};

    #[test]
    fn what_nothing_uses_is_left_out_and_the_rest_keeps_its_order() {
        let mut tables = Tables::new();
        tables.text_constant("unused");
        let id = tables.expr(Expr::TraceId);
        let prefix = tables.text_constant("host-");
        let joined = tables.expr(Expr::Concat { parts: [prefix, id].into() });
        tables.expr(Expr::RandomUuid);
        let key = tables.text("host.name");
        tables.program.resources.push(Resource { attributes: vec![(key, joined)] });
        let mut program = tables.program;
        compact(&mut program);
        assert_eq!(program.texts, ["host-", "host.name"]);
        assert_eq!(program.exprs.len(), 3);
        assert_eq!(program.exprs[2], Expr::Concat { parts: [ExprId(1), ExprId(0)].into() });
        assert_eq!(program.resources[0].attributes, [(TextId(1), ExprId(2))]);
    }
}
