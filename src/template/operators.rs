//! The operators and lists of a template: what they make is weighed as what filters make is, and what they compare and print.

use std::borrow::Cow;
use std::cmp::Reverse;

use minijinja::machinery::ast::{BinOp, BinOpKind, Call, CallArg, Expr, Set, Slice, Spanned, Stmt, UnaryOpKind};
use minijinja::machinery::{Span, parse};

/// The filter through which everything goes that `~`, `+` and `*` make. See [`weigh`].
pub(super) const WEIGHED: &str = "__weighed";

/// The filter for lists, tuples and maps that the template writes.
pub(super) const LISTED: &str = "__listed";

/// The filter for values that are compared or looked up.
pub(super) const COMPARED: &str = "__compared";

/// The filter for what `loop.cycle` chooses from: without anything, the library would divide by zero.
pub(super) const CHOSEN: &str = "__chosen";

/// The filter for what is multiplied.
pub(super) const MULTIPLIED: &str = "__multiplied";

/// The filter for values of which `~` makes texts.
pub(super) const PRINTED: &str = "__printed";

/// The template with `(a ~ b)|__weighed` in the place of `a ~ b`, so that what is made is counted. Otherwise thirty tags that
/// double a text or a list take all memory. Nothing else changes, and every line keeps its number.
///
/// No value is ever larger than a value may be, because lists are weighed where they are written and where operators and
/// filters make them. What operators compare is counted, too, since it may be compared in a loop.
///
/// The library has no hook for its operators, so this reads the tree that its own parser makes.
///
/// # Errors
/// The template has a mistake of syntax.
pub(super) fn weigh(template: &str) -> Result<Cow<'_, str>, minijinja::Error> {
    let mut found = Found { template, added: Vec::new() };
    found.statement(&parse(template, "<string>", Default::default())?);
    let mut added: Vec<_> = found.added.into_iter().enumerate().collect();
    if added.is_empty() {
        return Ok(Cow::Borrowed(template));
    }
    // What ends at one place ends from the inside to the outside, and the outer expression was found first.
    added.sort_by_key(|(order, (place, _))| (*place, Reverse(*order)));
    let mut weighed = String::with_capacity(template.len() + added.len() * 12);
    let mut done = 0;
    for (_, (place, text)) in added {
        weighed.push_str(&template[done..place]);
        weighed.push_str(&text);
        done = place;
    }
    weighed.push_str(&template[done..]);
    Ok(Cow::Owned(weighed))
}

/// What is to be added to the template, and at which of its bytes.
struct Found<'t> {
    template: &'t str,
    added: Vec<(usize, Cow<'static, str>)>,
}

impl Found<'_> {
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
            Stmt::Set(set) => self.set(set),
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
            Stmt::Do(statement) => self.call(&statement.call),
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
                self.bounds(slice);
            }
            Expr::UnaryOp(operation) => self.expression(&operation.expr),
            Expr::BinOp(operation) => self.operation(operation),
            Expr::Compare(chain) => {
                self.operand(&chain.expr, COMPARED);
                chain.ops.iter().for_each(|next| self.operand(&next.expr, COMPARED));
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
                test.args.iter().for_each(|argument| self.argument_of_test(value_of(argument)));
            }
            Expr::GetAttr(field) => self.expression(&field.expr),
            Expr::GetItem(item) => {
                self.expression(&item.expr);
                self.place(&item.subscript_expr);
            }
            Expr::Call(call) => self.call(call),
            Expr::List(_) | Expr::Tuple(_) | Expr::Map(_) => self.list(expression, LISTED),
        }
    }

    fn call(&mut self, call: &Spanned<Call<'_>>) {
        self.expression(&call.expr);
        let is_given = |argument: &CallArg<'_>| matches!(argument, CallArg::Pos(_) | CallArg::Kwarg(..));
        let is_cycle = matches!(&call.expr, Expr::GetAttr(method) if method.name == "cycle");
        let filter = if is_cycle && !call.args.iter().any(is_given) { CHOSEN } else { COMPARED };
        if call.args.is_empty() && filter == CHOSEN {
            let end = call.span().end_offset as usize - 1;
            self.added.push((end, format!("none|{CHOSEN}").into()));
        }
        call.args.iter().for_each(|argument| self.operand(value_of(argument), filter));
    }

    /// What is multiplied. The library would multiply what is written out while it reads the template, and makes the whole of a tuple
    /// at once, before anything is weighed.
    fn factor(&mut self, factor: &Expr<'_>) {
        match factor {
            Expr::Const(_) => self.add(factor.span(), MULTIPLIED),
            Expr::BinOp(operation) if !matches!(operation.op, BinOpKind::ScAnd | BinOpKind::ScOr) => {
                self.wrap(operation.span(), MULTIPLIED);
                self.expression(factor);
            }
            other => self.operand(other, MULTIPLIED),
        }
    }

    /// The place of an item. A character is found by going through a text, so that the time is looked at.
    fn place(&mut self, place: &Expr<'_>) {
        // Nothing can be added to `a.0`.
        let follows_dot = || self.template[..place.span().start_offset as usize].trim_end().ends_with('.');
        if !matches!(place, Expr::Const(_)) || !follows_dot() {
            self.look_at_time(place);
            self.expression(place);
        }
    }

    /// Adds a filter to what is computed first of an expression, and so always.
    fn look_at_time(&mut self, expression: &Expr<'_>) {
        match expression {
            Expr::UnaryOp(operation) => self.look_at_time(&operation.expr),
            Expr::BinOp(operation) => self.look_at_time(&operation.left),
            Expr::Compare(chain) => self.look_at_time(&chain.expr),
            Expr::Test(test) => self.look_at_time(&test.expr),
            Expr::IfExpr(choice) => self.look_at_time(&choice.test_expr),
            _ => self.add(expression.span(), COMPARED),
        }
    }

    /// The bounds of a slice, one of which takes the filter, so that the time is looked at: it copies a text.
    fn bounds(&mut self, slice: &Spanned<Slice<'_>>) {
        let bounds = [&slice.start, &slice.stop, &slice.step];
        bounds.into_iter().flatten().for_each(|bound| self.place(bound));
        if bounds.into_iter().all(Option::is_none) {
            self.added.push((slice.span().end_offset as usize - 1, format!("none|{COMPARED}").into()));
        }
    }

    /// Adds a filter behind an expression.
    fn add(&mut self, span: Span, filter: &'static str) {
        self.added.push((span.end_offset as usize, format!("|{filter}").into()));
    }

    /// Adds a filter around an expression.
    fn wrap(&mut self, span: Span, filter: &'static str) {
        self.added.push((span.start_offset as usize, "(".into()));
        self.added.push((span.end_offset as usize, format!(")|{filter}").into()));
    }

    /// A list, a tuple or a map in the template. Those in it are weighed with it.
    fn list(&mut self, list: &Expr<'_>, filter: &'static str) {
        if !is_constant(list) || [CHOSEN, MULTIPLIED].contains(&filter) {
            // Without the outer parentheses, `[a].b` would become `([a])|filter.b`, and a tuple in need of parentheses has none.
            self.added.push((list.span().start_offset as usize, "((".into()));
            self.added.push((list.span().end_offset as usize, format!(")|{filter})").into()));
            self.items(list);
        }
    }

    fn items(&mut self, list: &Expr<'_>) {
        let items: Vec<&Expr<'_>> = match list {
            Expr::List(list) => list.items.iter().collect(),
            Expr::Tuple(tuple) => tuple.items.iter().collect(),
            Expr::Map(map) => map.keys.iter().chain(&map.values).collect(),
            other => return self.expression(other),
        };
        items.into_iter().for_each(|item| self.items(item));
    }

    /// The value of `{% set a = b, c %}` is a tuple without parentheses, of which the tree does not know where it begins.
    fn set(&mut self, set: &Set<'_>) {
        let (Expr::Var(target), Expr::Tuple(tuple)) = (&set.target, &set.expr) else {
            return match (&set.target, &set.expr) {
                // No tuple is left of it.
                (Expr::List(_), Expr::Tuple(tuple)) => self.expressions(&tuple.items),
                (_, value) => self.expression(value),
            };
        };
        let behind = target.span().end_offset as usize;
        let start = behind + self.template[behind..].find('=').map_or(0, |place| place + 1);
        let (from, to) = (&self.template[start..], tuple.span());
        if start + (from.len() - from.trim_start().len()) == to.start_offset as usize {
            return self.expression(&set.expr);
        }
        self.added.push((start, "((".into()));
        self.added.push((to.end_offset as usize, format!(")|{LISTED})").into()));
        self.items(&set.expr);
    }

    /// What an operator compares or prints, where that may be a list: it goes through the filter.
    fn operand(&mut self, operand: &Expr<'_>, filter: &'static str) {
        match operand {
            Expr::Var(_) | Expr::Slice(_) | Expr::Filter(_) | Expr::GetAttr(_) | Expr::GetItem(_) | Expr::Call(_) => {
                self.add(operand.span(), filter)
            }
            Expr::IfExpr(choice) => {
                self.expression(&choice.test_expr);
                self.operand(&choice.true_expr, filter);
                return choice.false_expr.iter().for_each(|other| self.operand(other, filter));
            }
            Expr::BinOp(operation) if matches!(operation.op, BinOpKind::ScAnd | BinOpKind::ScOr) => {
                self.operand(&operation.left, filter);
                return self.operand(&operation.right, filter);
            }
            Expr::List(_) | Expr::Tuple(_) | Expr::Map(_) => return self.list(operand, filter),
            // Constants, numbers and truths, and what operators make, which is weighed.
            Expr::Const(_) | Expr::UnaryOp(_) | Expr::BinOp(_) | Expr::Compare(_) | Expr::Test(_) => {}
        }
        self.expression(operand);
    }

    /// `a is in [b][0]` cannot become `a is in ([b])[0]`, where the parentheses would be those of the arguments. The test weighs
    /// its arguments itself.
    fn argument_of_test(&mut self, argument: &Expr<'_>) {
        match argument {
            Expr::List(_) | Expr::Tuple(_) | Expr::Map(_) => self.items(argument),
            Expr::GetAttr(field) => self.argument_of_test(&field.expr),
            Expr::GetItem(item) => {
                self.argument_of_test(&item.expr);
                self.place(&item.subscript_expr);
            }
            Expr::Slice(slice) => {
                self.argument_of_test(&slice.expr);
                self.bounds(slice);
            }
            other => self.expression(other),
        }
    }

    /// In a chain such as `a ~ b ~ c`, which is nested to the left, each tenth is weighed: parentheses may not be nested deep.
    fn operation(&mut self, last: &Spanned<BinOp<'_>>) {
        let makes_text = |kind| matches!(kind, BinOpKind::Concat | BinOpKind::Add | BinOpKind::Mul);
        let (mut operation, mut place) = (last, 0);
        loop {
            if makes_text(operation.op) {
                if place % 10 == 0 {
                    self.wrap(operation.span(), WEIGHED);
                }
                place += 1;
            }
            let filter = match operation.op {
                BinOpKind::Concat => Some(PRINTED),
                BinOpKind::Eq | BinOpKind::Ne | BinOpKind::Lt | BinOpKind::Lte | BinOpKind::Gt | BinOpKind::Gte => {
                    Some(COMPARED)
                }
                BinOpKind::In => Some(COMPARED),
                _ => None,
            };
            let is_product = matches!(operation.op, BinOpKind::Mul);
            let each = |found: &mut Self, operand: &Expr<'_>| match filter {
                Some(filter) => found.operand(operand, filter),
                None if is_product => found.factor(operand),
                None => found.expression(operand),
            };
            each(self, &operation.right);
            match &operation.left {
                Expr::BinOp(left) if makes_text(left.op) && makes_text(operation.op) => {
                    // What is made here may be a list, which is weighed before it is multiplied or printed.
                    match operation.op {
                        BinOpKind::Mul if !matches!(left.op, BinOpKind::Mul) => self.wrap(left.span(), MULTIPLIED),
                        BinOpKind::Concat if !matches!(left.op, BinOpKind::Concat) => self.wrap(left.span(), PRINTED),
                        _ => {}
                    }
                    operation = left;
                }
                left => return each(self, left),
            }
        }
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>]) {
        self.expressions(arguments.iter().map(value_of));
    }
}

/// The value of an argument.
fn value_of<'a, 'e>(argument: &'a CallArg<'e>) -> &'a Expr<'e> {
    match argument {
        CallArg::Pos(value) | CallArg::Kwarg(_, value) => value,
        CallArg::PosSplat(value) | CallArg::KwargSplat(value) => value,
    }
}

/// Whether the expression is written out, so that it is no larger than the template.
fn is_constant(expression: &Expr<'_>) -> bool {
    match expression {
        Expr::Const(_) => true,
        Expr::UnaryOp(operation) => matches!(operation.op, UnaryOpKind::Neg) && is_constant(&operation.expr),
        Expr::List(list) => list.items.iter().all(is_constant),
        Expr::Tuple(tuple) => tuple.items.iter().all(is_constant),
        Expr::Map(map) => map.keys.iter().chain(&map.values).all(is_constant),
        _ => false,
    }
}
