//! What the benchmarks feed to the program: Markdown as models write it, and sessions made of it.

pub mod session;

/// Characters that a token of English text and code has on average.
pub const TOKEN: usize = 4;

const SECTION: &str = r#"
## Step {n}: read before you write

The parser keeps **one line** of look-ahead, so a block is final as soon as the next one begins; see
`src/parser.rs` and the [notes](https://example.com/notes). 性能は行数に対して線形です。

- the first pass collects names and their *positions*
- the second pass resolves them, with a `HashMap` of at most a few hundred entries
  1. cheap in memory
  2. cheap to throw away

```rust
/// Resolves every name once; unknown ones are kept for the error message.
fn resolve(names: &[Name], scope: &Scope) -> Result<Vec<Symbol>, Unknown> {
    let mut symbols = Vec::with_capacity(names.len());
    for name in names {
        match scope.get(name.text()) {
            Some(symbol) => symbols.push(symbol.clone()), // the common case
            None => return Err(Unknown { name: name.clone(), line: {n} }),
        }
    }
    Ok(symbols)
}
```

| input | lines | time |
|:------|------:|-----:|
| small | 1,000 | 2 ms |
| large | {n},000 | {n} ms |

> Measured on one core, without a warm cache.

Nothing here looks at a character twice, therefore the cost is that of the text and of nothing else.
"#;

/// An answer of that many tokens, with prose, lists, code, a table and a quotation in each part.
pub fn answer(tokens: usize) -> String {
    let mut text = String::new();
    let mut characters = 0;
    for n in 1.. {
        if characters >= tokens * TOKEN {
            break;
        }
        let section = SECTION.replace("{n}", &n.to_string());
        characters += section.chars().count();
        text.push_str(&section);
    }
    text.chars().take(tokens * TOKEN).collect()
}

/// The text in pieces of so many tokens, as a model server cuts it.
pub fn deltas(text: &str, tokens: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(tokens * TOKEN).map(|piece| piece.iter().collect()).collect()
}
