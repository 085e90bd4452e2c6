//! The operators that make texts: what they make is weighed as what filters make is.

use std::borrow::Cow;

use minijinja::machinery::ast::{BinOp, BinOpKind, CallArg, Expr, Spanned, Stmt};
use minijinja::machinery::{Span, parse};

/// The filter through which everything goes that `~`, `+` and `*` make. See [`weigh`].
pub(super) const WEIGHED: &str = "__weighed";

/// The template with `(a ~ b)|__weighed` in the place of `a ~ b`, so that what is made is counted. Otherwise thirty tags that
/// double a text take all memory. Nothing else changes, and every line keeps its number.
///
/// The library has no hook for its operators, so this reads the tree that its own parser makes.
///
/// # Errors
/// The template has a mistake of syntax.
pub(super) fn weigh(template: &str) -> Result<Cow<'_, str>, minijinja::Error> {
    let mut found = Found::default();
    found.statement(&parse(template, "<string>", Default::default())?);
    if found.0.is_empty() {
        return Ok(Cow::Borrowed(template));
    }
    let end = format!(")|{WEIGHED}");
    let starts = found.0.iter().map(|span| (span.start_offset as usize, "("));
    let mut added: Vec<_> = starts.chain(found.0.iter().map(|span| (span.end_offset as usize, end.as_str()))).collect();
    added.sort_by_key(|(place, _)| *place);
    let mut weighed = String::with_capacity(template.len() + added.len() * end.len());
    let mut done = 0;
    for (place, text) in added {
        weighed.push_str(&template[done..place]);
        weighed.push_str(text);
        done = place;
    }
    weighed.push_str(&template[done..]);
    Ok(Cow::Owned(weighed))
}

/// Where the expressions with these operators stand.
#[derive(Default)]
struct Found(Vec<Span>);

impl Found {
    fn statements(&mut self, statements: &[Stmt<'_>]) {
        statements.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &Stmt<'_>) {
        match statement {
            Stmt::Template(template) => self.statements(&template.children),
            Stmt::EmitRaw(_) => {}
            Stmt::EmitExpr(emit) => self.expression(&emit.expr),
            Stmt::ForLoop(each) => {
                self.expression(&each.iter);
                self.expressions(&each.filter_expr);
                self.statements(&each.body);
                self.statements(&each.else_body);
            }
            Stmt::IfCond(condition) => {
                self.expression(&condition.expr);
                self.statements(&condition.true_body);
                self.statements(&condition.false_body);
            }
            Stmt::WithBlock(with) => {
                self.expressions(with.assignments.iter().map(|(_, value)| value));
                self.statements(&with.body);
            }
            Stmt::Set(set) => self.expression(&set.expr),
            Stmt::SetBlock(set) => {
                self.expressions(&set.filter);
                self.statements(&set.body);
            }
            Stmt::AutoEscape(escape) => {
                self.expression(&escape.enabled);
                self.statements(&escape.body);
            }
            Stmt::FilterBlock(block) => {
                self.expression(&block.filter);
                self.statements(&block.body);
            }
            Stmt::Do(call) => {
                self.expression(&call.call.expr);
                self.arguments(&call.call.args);
            }
        }
    }

    fn expressions<'e>(&mut self, expressions: impl IntoIterator<Item = &'e Expr<'e>>) {
        expressions.into_iter().for_each(|expression| self.expression(expression));
    }

    fn expression(&mut self, expression: &Expr<'_>) {
        match expression {
            Expr::Var(_) | Expr::Const(_) => {}
            Expr::Slice(slice) => {
                self.expression(&slice.expr);
                self.expressions([&slice.start, &slice.stop, &slice.step].into_iter().flatten());
            }
            Expr::UnaryOp(operation) => self.expression(&operation.expr),
            Expr::BinOp(operation) => self.operation(operation),
            Expr::Compare(chain) => {
                self.expression(&chain.expr);
                self.expressions(chain.ops.iter().map(|next| &next.expr));
            }
            Expr::IfExpr(choice) => {
                self.expressions([&choice.test_expr, &choice.true_expr]);
                self.expressions(&choice.false_expr);
            }
            Expr::Filter(filter) => {
                self.expressions(&filter.expr);
                self.arguments(&filter.args);
            }
            Expr::Test(test) => {
                self.expression(&test.expr);
                self.arguments(&test.args);
            }
            Expr::GetAttr(field) => self.expression(&field.expr),
            Expr::GetItem(item) => self.expressions([&item.expr, &item.subscript_expr]),
            Expr::Call(call) => {
                self.expression(&call.expr);
                self.arguments(&call.args);
            }
            Expr::List(list) => self.expressions(&list.items),
            Expr::Tuple(tuple) => self.expressions(&tuple.items),
            Expr::Map(map) => self.expressions(map.keys.iter().chain(&map.values)),
        }
    }

    /// In a chain such as `a ~ b ~ c`, which is nested to the left, each tenth is weighed: parentheses may not be nested deep.
    fn operation(&mut self, last: &Spanned<BinOp<'_>>) {
        let makes_text = |kind| matches!(kind, BinOpKind::Concat | BinOpKind::Add | BinOpKind::Mul);
        let (mut operation, mut place) = (last, 0);
        loop {
            if makes_text(operation.op) {
                if place % 10 == 0 {
                    self.0.push(operation.span());
                }
                place += 1;
            }
            self.expression(&operation.right);
            match &operation.left {
                Expr::BinOp(left) if makes_text(left.op) && makes_text(operation.op) => operation = left,
                left => return self.expression(left),
            }
        }
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>]) {
        for argument in arguments {
            match argument {
                CallArg::Pos(value) | CallArg::Kwarg(_, value) => self.expression(value),
                CallArg::PosSplat(value) | CallArg::KwargSplat(value) => self.expression(value),
            }
        }
    }
}
