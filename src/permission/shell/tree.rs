//! From the syntax tree to the parts.

use tree_sitter::{Node, Tree};

use super::count;
use super::word::children;
use super::{Assign, MAX_DEPTH, Part, Reader, Searched, clip};

/// A script on its way into a reader.
pub(super) struct Walk<'a, 'r> {
    pub reader: &'r mut Reader,
    pub source: &'a str,
}

impl<'a> Walk<'a, '_> {
    /// Reads a whole tree.
    pub fn program(&mut self, tree: &Tree) {
        let root = tree.root_node();
        if root.has_error() {
            return self.unclear(root, "its syntax is not understood");
        }
        if self.hides_text(root) {
            return self.unclear(root, "part of it is not understood");
        }
        self.statements(root, 0);
    }

    pub fn text(&self, node: Node) -> &'a str {
        self.source.get(node.byte_range()).unwrap_or_default()
    }

    pub fn unclear(&mut self, node: Node, why: &'static str) {
        let shown = self.text(node);
        self.reader.unclear(shown, why);
    }

    pub fn too_deep(&mut self, node: Node, depth: usize) -> bool {
        let deep = depth > MAX_DEPTH;
        if deep {
            self.unclear(node, "it is nested too deep");
        }
        deep
    }

    /// Whether the grammar passed over text that is no blank: a shell reads it.
    fn hides_text(&self, root: Node) -> bool {
        let mut cursor = root.walk();
        let mut end = 0;
        loop {
            let node = cursor.node();
            let whole = matches!(
                node.kind(),
                "string" | "raw_string" | "heredoc_body" | "ansi_c_string" | "regex" | "expansion"
            );
            if !whole && cursor.goto_first_child() {
                continue;
            }
            if node.start_byte() > end
                && !is_gap(self.source.get(end..node.start_byte()))
                && !self.is_own_input(end, node)
            {
                return true;
            }
            end = end.max(node.end_byte());
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    return !is_gap(self.source.get(end..));
                }
            }
        }
    }

    /// The `-` of `python3 - <<END`, which the grammar passes over; without it the program reads the
    /// same.
    fn is_own_input(&self, end: usize, next: Node) -> bool {
        const KNOWN: &[&str] = &["node", "perl", "php", "python", "python3", "ruby"];
        let before = self.source.get(..end).unwrap_or_default();
        let program = before.rsplit(['\n', ' ', '\t', ';', '&', '|', '(', '/']).next();
        let gap = self.source.get(end..next.start_byte()).unwrap_or_default();
        gap.trim_matches([' ', '\t']) == "-"
            && gap.starts_with([' ', '\t'])
            && self.source.get(next.start_byte()..).is_some_and(|rest| rest.starts_with("<<"))
            && program.is_some_and(|program| KNOWN.contains(&program))
    }

    pub fn statements(&mut self, node: Node, depth: usize) {
        let mut ended = true;
        let fed = self.reader.piped;
        for child in children(node) {
            self.reader.piped |= matches!(child.kind(), "|" | "|&");
            if child.is_named() && child.kind() != "comment" {
                // Two statements with nothing between them are one that the grammar took apart.
                if !ended && !matches!(child.kind(), "do_group" | "elif_clause" | "else_clause") {
                    self.unclear(child, "where it begins is not understood");
                }
                ended = self.source.get(..child.end_byte()).is_some_and(|s| s.ends_with('\n'));
                self.statement(child, depth + 1);
            } else if child.kind() == "comment" {
                self.comment(child);
            } else {
                ended = true;
            }
            if self
                .source
                .get(child.end_byte()..)
                .is_some_and(|rest| rest.trim_start_matches([' ', '\t']).starts_with('\n'))
            {
                ended = true;
            }
        }
        self.reader.piped = fed;
    }

    /// Reads a statement.
    pub fn statement(&mut self, node: Node, depth: usize) {
        if self.too_deep(node, depth) {
            return;
        }
        match node.kind() {
            "compound_statement" if self.text(node).starts_with("((") => {
                self.arithmetic(node, depth);
            }
            "while_statement" | "do_group" => {
                self.reader.loops = true;
                self.statements(node, depth);
            }
            "program" | "list" | "pipeline" | "compound_statement" | "subshell" | "else_clause"
            | "elif_clause" | "if_statement" | "negated_command" => self.statements(node, depth),
            "command" => self.command(node, depth),
            "redirected_statement" => self.redirected(node, depth),
            "variable_assignment" => self.assignment(node, depth),
            "variable_assignments" => {
                for child in children(node) {
                    self.assignment(child, depth + 1);
                }
            }
            "declaration_command" => self.declaration(node, depth),
            "unset_command" => self.unset(node, depth),
            "for_statement" => self.for_each(node, depth),
            "c_style_for_statement" => self.for_counted(node, depth),
            "case_statement" => self.case(node, depth),
            "test_command" => self.test(node, depth),
            "function_definition" => {
                self.unclear(node, "it defines a function, which may replace a program");
                if let Some(body) = node.child_by_field_name("body") {
                    self.statement(body, depth + 1);
                }
            }
            "comment" => self.comment(node),
            "file_redirect" | "herestring_redirect" | "heredoc_redirect" => {
                self.redirect(node, depth + 1);
            }
            _ => {
                self.unclear(node, "it is not understood");
                self.substitutions(node, depth + 1);
            }
        }
    }

    fn comment(&mut self, node: Node) {
        let before = self.source.get(..node.start_byte()).and_then(|text| text.chars().last());
        if before.is_some_and(|c| !matches!(c, ' ' | '\t' | '\n' | ';')) {
            self.unclear(node, "it looks like a comment");
        }
    }

    /// `$( )`, backticks, `<( )`, `>( )`: what runs in it.
    pub fn substitution(&mut self, node: Node, depth: usize) {
        let text = self.text(node);
        if text.starts_with(">(") {
            self.unclear(node, "it writes to a command");
        }
        if text.starts_with('`') && text.contains('\\') {
            self.unclear(node, "it has backslashes in backticks");
        }
        self.statements(node, depth);
    }

    /// Every substitution below a node that is not understood otherwise.
    pub fn substitutions(&mut self, node: Node, depth: usize) {
        if self.too_deep(node, depth) {
            return;
        }
        for child in children(node) {
            match child.kind() {
                "command_substitution" | "process_substitution" => {
                    self.substitution(child, depth + 1);
                }
                "command" => self.command(child, depth + 1),
                _ => self.substitutions(child, depth + 1),
            }
        }
    }

    /// Arithmetic evaluates what variables hold, which may be a substitution: only numbers are known.
    pub fn arithmetic(&mut self, node: Node, depth: usize) {
        let text = self.text(node);
        if is_numbers(text) {
            return;
        }
        if let Some(names) = count::names(text) {
            self.reader.count(text, names);
        } else {
            self.unclear(node, "its arithmetic has more than numbers");
            self.substitutions(node, depth + 1);
        }
    }

    fn for_each(&mut self, node: Node, depth: usize) {
        if let Some(variable) = node.child_by_field_name("variable") {
            let name = self.text(variable);
            self.reader.variables.sets(name, false);
            self.loses(name);
            self.set(name, variable, false);
        }
        let body = node.child_by_field_name("body").map(|body| body.id());
        let variable = node.child_by_field_name("variable").map(|name| name.id());
        for child in children(node) {
            if Some(child.id()) == body {
                self.statement(child, depth + 1);
            } else if child.is_named() && child.kind() != "comment" && Some(child.id()) != variable
            {
                self.word(child, depth + 1);
            }
        }
    }

    /// `for ((i=0; i<3; i++)); do …; done`: its head is arithmetic, as known as its variables are.
    fn for_counted(&mut self, node: Node, depth: usize) {
        self.reader.loops = true;
        let body = node.child_by_field_name("body");
        let end = body.map_or(node.end_byte(), |body| body.start_byte());
        let head = self.source.get(node.start_byte()..end).and_then(counted_head);
        match head.and_then(|head| count::names(&head.replace(';', ","))) {
            Some(names) => {
                let head = head.unwrap_or_default();
                self.reader.count(head, names);
            }
            None => {
                self.unclear(node, "its arithmetic has more than numbers");
                let is_body = |child: &Node| body.is_some_and(|body| body.id() == child.id());
                for child in children(node).into_iter().filter(|child| !is_body(child)) {
                    self.substitutions(child, depth + 1);
                }
            }
        }
        if let Some(body) = body {
            self.statement(body, depth + 1);
        }
    }

    fn case(&mut self, node: Node, depth: usize) {
        if let Some(value) = node.child_by_field_name("value") {
            self.word(value, depth + 1);
        }
        for item in children(node).into_iter().filter(|child| child.kind() == "case_item") {
            let mut ended = true;
            for (at, child) in children(item).into_iter().enumerate() {
                let pattern = item.field_name_for_child(at as u32) == Some("value");
                if pattern && child.kind() == "extglob_pattern" {
                    if self.text(child).contains(['$', '`', '\\', '\'', '"']) {
                        self.unclear(child, "its pattern is not understood");
                    }
                } else if pattern {
                    self.word(child, depth + 1);
                } else if child.is_named() && child.kind() != "comment" {
                    if !ended && !self.text_before(child).ends_with('\n') {
                        self.unclear(child, "where it begins is not understood");
                    }
                    ended = false;
                    self.statement(child, depth + 1);
                } else {
                    ended = true;
                }
            }
        }
    }

    fn text_before(&self, node: Node) -> &'a str {
        self.source.get(..node.start_byte()).unwrap_or_default().trim_end_matches([' ', '\t'])
    }

    /// A variable is given a value that is not known, or loses its own. If it is `PATH`, programs may be found
    /// anywhere.
    pub fn loses(&mut self, name: &str) {
        if name == "PATH" {
            self.reader.paths.push((String::new(), vec![Searched::Unknown]));
        }
    }

    /// A variable is set for what follows. `exported`: programs see it for certain.
    pub fn set(&mut self, name: &str, node: Node, exported: bool) {
        if exported || !private_name(name) {
            let shown = clip(self.text(node));
            let name = name.to_owned();
            self.reader.push(Part::Assign(Assign { name, shown }));
        }
    }
}

/// `((…;…;…))` of a loop that counts, where nothing else stands in its head.
fn counted_head(text: &str) -> Option<&str> {
    let head = text.strip_prefix("for")?.trim_matches([' ', '\t', '\n']);
    let head = head.strip_suffix(';').unwrap_or(head).trim_end_matches([' ', '\t', '\n']);
    (head.starts_with("((") && head.ends_with("))") && head.matches("((").count() == 1)
        .then_some(head)
}

/// Whether no program listens to a variable of this name, so that setting it changes nothing.
fn private_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 16
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// Blanks, or a line that is continued between blanks.
fn is_gap(text: Option<&str>) -> bool {
    let Some(text) = text else { return false };
    let joined = text.replace("\\\n", "");
    joined.chars().all(|c| matches!(c, ' ' | '\t' | '\n'))
        && (joined.len() == text.len() || text.starts_with([' ', '\t', '\n']))
}

/// Whether nothing is in an arithmetic expression but digits, operators and the expansions that are
/// numbers. `$1`, `$_` and the like hold text, which arithmetic reads as an expression.
fn is_numbers(text: &str) -> bool {
    let inside = ["$((", "$[", "(("].iter().find_map(|open| text.strip_prefix(open));
    let mut chars = inside.unwrap_or(text).chars();
    while let Some(c) = chars.next() {
        let known = match c {
            '$' => chars.next().is_some_and(|next| "#?$".contains(next)),
            c => c.is_ascii_digit() || " \t+-*/%()<>=&|^!~?:,]".contains(c),
        };
        if !known {
            return false;
        }
    }
    true
}
