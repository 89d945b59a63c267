//! Where prompts come from.

use super::*;
use crate::front::print::input::MAX_INPUT;

fn answers(count: usize) -> Vec<Vec<Step>> {
    (0..count).map(|_| vec![begin(), step(1), text("ok"), turn_end(), well()]).collect()
}

fn stdin() -> PrintOptions {
    PrintOptions { prompt: None, ..prompt("") }
}

fn stdin_lines() -> PrintOptions {
    PrintOptions { input_format: Format::StreamJson, ..stdin() }
}

#[tokio::test]
async fn stdin_is_the_prompt() {
    let ran = play(stdin(), b"\n two\n lines \xff\n\n", answers(1)).await;
    assert_eq!(ran.prompts(), ["two\n lines \u{fffd}"]);
    assert_eq!(ran.out, "ok\n");
}

#[tokio::test]
async fn an_empty_stdin_is_silent() {
    let ran = play(stdin(), b" \n\t", vec![]).await;
    assert_eq!((ran.out.as_str(), ran.err.as_str(), ran.code), ("", "", ExitCode::Success));
    assert_eq!(ran.ops, [Op::Shutdown]);
}

#[tokio::test]
async fn a_prompt_leaves_stdin_alone() {
    assert_eq!(play(prompt("given"), b"not read", answers(1)).await.prompts(), ["given"]);
}

#[tokio::test]
async fn a_terminal_is_no_prompt() {
    let options = PrintOptions { stdin_is_terminal: true, ..stdin() };
    let ran = play(options, b"typed", vec![]).await;
    assert_eq!((ran.prompts().len(), ran.code), (0, ExitCode::Success));
}

#[tokio::test]
async fn lines_are_turns_in_one_session() {
    let input = concat!(
        "\u{feff}{\"role\":\"user\",\"content\":\"first\"}\r\n",
        "\n",
        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},",
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:,\"}},",
        "{\"type\":\"text\",\"text\":\"b\"}]}\n",
        "{\"role\":\"user\",\"content\":\"  \"}\n",
        "{\"role\":\"user\",\"content\":\"no line end\"}",
    );
    let ran = play(stdin_lines(), input.as_bytes(), answers(3)).await;
    assert_eq!(ran.prompts(), ["first", "a\nb", "no line end"]);
    assert_eq!(ran.err, "\nTo resume this session: kimi -r s-1\n");
}

#[tokio::test]
async fn bad_lines_are_told_once_and_passed_over() {
    let input = b"not json\n{\"role\":\"assistant\",\"content\":\"no\"}\n[]\n\xff\n\
        {\"role\":\"user\",\"content\":{}}\n{\"role\":\"user\",\"content\":\"ok\"}\n";
    let ran = play(stdin_lines(), input, answers(1)).await;
    assert_eq!(ran.prompts(), ["ok"]);
    assert_eq!(ran.code, ExitCode::Success);
    let told: Vec<&str> = ran.err.lines().take(5).collect();
    for (line, number) in told.iter().zip(1..) {
        assert!(
            line.starts_with(&format!("kimi: line {number} of standard input is skipped: ")),
            "{line}"
        );
    }
    assert!(told[1].contains("'assistant'"), "{}", told[1]);
}

#[tokio::test]
async fn a_flood_of_bad_lines_is_told_in_a_few() {
    let ran = play(stdin_lines(), &b"x\n".repeat(5_000), vec![]).await;
    assert_eq!(ran.err.lines().count(), 10);
    assert!(ran.err.ends_with("(no more is said about lines like this)\n"));
}

#[tokio::test]
async fn a_huge_line_is_passed_over() {
    let mut input = vec![b'x'; MAX_INPUT + 1];
    input.extend_from_slice(b"\n{\"role\":\"user\",\"content\":\"ok\"}\n");
    let ran = play(stdin_lines(), &input, answers(1)).await;
    assert_eq!(ran.prompts(), ["ok"]);
    assert!(ran.err.starts_with("kimi: line 1 of standard input is skipped: longer than 16 MB\n"));

    let ran = play(stdin(), &vec![b'x'; MAX_INPUT + 1], vec![]).await;
    assert_eq!(ran.code, ExitCode::Failure);
    assert!(ran.err.contains("longer than 16 MB"), "{}", ran.err);
}

#[tokio::test]
async fn a_failed_turn_leaves_the_other_lines() {
    let input = b"{\"role\":\"user\",\"content\":\"a\"}\n{\"role\":\"user\",\"content\":\"b\"}\n";
    let fails = vec![vec![begin(), Step::End(Outcome::MaxStepsReached { steps: 1 })]];
    let ran = play(stdin_lines(), input, fails).await;
    assert_eq!((ran.prompts().len(), ran.code), (1, ExitCode::Failure));
}

#[tokio::test]
async fn a_prompt_comes_before_the_lines() {
    let options = PrintOptions { input_format: Format::StreamJson, ..prompt("zero") };
    let ran = play(options, b"{\"role\":\"user\",\"content\":\"one\"}\n", answers(2)).await;
    assert_eq!(ran.prompts(), ["zero", "one"]);
}
