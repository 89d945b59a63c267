//! `awk`: whether its program only prints.

use super::Word;

/// Whether a command line of awk, without the program's name, has a program that names no output, no
/// command and no pipe, and nothing that is only known when it runs but the files.
pub fn only_prints(arguments: &[Word]) -> bool {
    let mut words = arguments.iter();
    let program = loop {
        let Some(word) = words.next() else { return false };
        match word.literal() {
            None => return false,
            Some("-F" | "-v") => {
                if words.next().is_none_or(|value| !value.is_one() || value.may_be_option()) {
                    return false;
                }
            }
            Some(text) if text.starts_with("-F") || text.starts_with("-v") => {}
            Some("--version" | "--help") => return arguments.len() == 1,
            Some(text) if text.starts_with('-') => return false,
            Some(text) => break text,
        }
    };
    // Options may stand behind the program.
    !words.any(Word::may_be_option) && prints(program)
}

fn prints(program: &str) -> bool {
    let acts = ["system", "getline", "@", "close", "fflush"];
    if acts.iter().any(|act| program.contains(act)) || program.replace("||", "").contains('|') {
        return false;
    }
    // Behind `print` it is an output, before it a comparison.
    let first = program.find("print").unwrap_or(program.len());
    program.get(first..).is_none_or(|rest| !rest.contains('>'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs() {
        for plain in
            ["{print $1}", "$1 > 3", "$1 > 3 {print}", "NR>1{s+=$1} END{print s}", "a || b"]
        {
            assert!(prints(plain), "{plain}");
        }
        for acting in [
            "{print > \"x\"}",
            "{print; if (1 > 2) x}",
            "BEGIN{system(\"x\")}",
            "{print | \"sh\"}",
            "\"x\" | getline",
            "{print \"a;b\" > \"f\"}",
            "{printf \"\" >> \"f\"}",
            "@load \"x\"",
            "{print ||| \"x\"}",
            "{print |& \"x\"}",
        ] {
            assert!(!prints(acting), "{acting}");
        }
    }
}
