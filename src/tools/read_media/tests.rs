use std::os::unix::fs::symlink;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::*;
use crate::llm::{ChatRequest, DeltaStream, Llm, LlmError, Provider, Thinking, UploadedFile};
use crate::tools::testing::{Bench, brief};

/// A provider that keeps files, if it has an answer to an upload.
#[derive(Default)]
struct Files {
    answer: Option<Result<String, LlmError>>,
    got: Mutex<Vec<UploadedFile>>,
}

#[async_trait]
impl Provider for Files {
    async fn stream(&self, _: ChatRequest<'_>) -> Result<DeltaStream, LlmError> {
        Err(LlmError::Other("not asked for".to_owned()))
    }

    async fn upload_video(&self, file: &UploadedFile) -> Option<Result<String, LlmError>> {
        self.got.lock().unwrap().push(file.clone());
        self.answer.clone()
    }
}

/// A bench whose model takes pictures, films or both.
fn bench(
    image_in: bool,
    video_in: bool,
    answer: Option<Result<String, LlmError>>,
) -> (Bench, Arc<Files>) {
    let mut bench = Bench::new();
    let files = Arc::new(Files { answer, got: Mutex::default() });
    bench.cx.llm = Some(Llm {
        provider: files.clone(),
        name: "m".to_owned(),
        model: "m".to_owned(),
        display_name: "m".to_owned(),
        max_context: 1_000,
        capabilities: Capabilities { image_in, video_in, ..Capabilities::default() },
        thinking: Thinking::Off,
        prices: None,
        is_tour: false,
    });
    (bench, files)
}

async fn look(bench: &Bench, path: impl AsRef<Path>) -> ToolReturnValue {
    bench.run(&ReadMediaFile::default(), json!({"path": path.as_ref()})).await
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = io::Cursor::new(Vec::new());
    image::RgbImage::new(width, height).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

const MP4: &[u8] = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2";

#[tokio::test]
async fn a_picture_stands_between_two_texts_that_name_it() {
    let (bench, _) = bench(true, false, None);
    let path = bench.put("a \"b\" <c>.png", png(3, 2));
    let value = look(&bench, "a \"b\" <c>.png").await;
    let ToolOutput::Parts(parts) = &value.output else { panic!("{value:?}") };
    let [open, ContentPart::ImageUrl { image_url }, close] = parts.as_slice() else {
        panic!("{parts:?}")
    };
    let shown = format!("{}/a &quot;b&quot; &lt;c&gt;.png", path.parent().unwrap().display());
    assert_eq!(open.as_text(), Some(format!("<image path=\"{shown}\">").as_str()));
    assert_eq!(close.as_text(), Some("</image>"));
    assert_eq!(image_url.url, data_url("image/png", &png(3, 2)));
    assert!(image_url.url.starts_with("data:image/png;base64,iVBOR"));
    let begins = format!(
        "Read image file `{}` (image/png, {} bytes, original size 3x2 pixels). To name places in it, \
         estimate them as shares of its width and height",
        path.display(),
        png(3, 2).len()
    );
    assert!(value.message.starts_with(&begins), "{}", value.message);
    assert!(value.message.ends_with("look at the result again."), "{}", value.message);
    assert!(!value.message.contains("It is shown to you"));
}

#[tokio::test]
async fn what_was_changed_on_the_way_is_said() {
    let (bench, _) = bench(true, false, None);
    bench.put("wide.png", png(4096, 8));
    let value = look(&bench, "wide.png").await;
    assert!(value.message.contains("original size 4096x8"), "{}", value.message);
    assert!(value.message.contains("as image/png of 2048x4 pixels"), "{}", value.message);
}

#[tokio::test]
async fn what_is_no_medium_is_refused() {
    let (bench, _) = bench(true, true, None);
    bench.put("a.txt", "text");
    bench.put("a.svg", "<svg/>");
    bench.put("a.pdf", "%PDF-1.7");
    bench.put("empty.png", "");
    bench.put("liar.png", "not a picture");
    bench.put("liar.mp4", "not a film");
    bench.put("photo.heic", b"\0\0\0\x20ftypheic\0\0\0\0mif1");
    for (path, short) in [
        ("a.txt", "Unsupported file type"),
        ("a.svg", "Unsupported file type"),
        ("a.pdf", "File not readable"),
        ("empty.png", "Empty file"),
        ("liar.png", "File not readable"),
        ("liar.mp4", "File not readable"),
        ("photo.heic", "Unsupported media type"),
        ("none.png", "File not found"),
        (".", "Invalid path"),
        ("", "Empty file path"),
        ("../x.png", "Invalid path"),
    ] {
        let value = look(&bench, path).await;
        assert!(value.is_error, "{path}");
        assert_eq!(brief(&value), short, "{path}");
    }
    bench.put("a.png", png(1, 1));
    let read = crate::tools::read_file::ReadFile::new(Arc::default());
    let value = bench.run(&read, json!({"path": "a.png"})).await;
    assert!(value.message.ends_with("Look at it with ReadMediaFile."), "{}", value.message);
    let text = look(&bench, "a.txt").await;
    assert!(text.message.contains("ReadFile"), "{}", text.message);
}

#[tokio::test]
async fn secrets_are_not_shown_under_any_name() {
    let (bench, _) = bench(true, false, None);
    bench.put("id_rsa", png(1, 1));
    symlink("id_rsa", bench.ws("holiday.png")).unwrap();
    for path in ["id_rsa", "holiday.png"] {
        assert_eq!(brief(&look(&bench, path).await), "Sensitive file", "{path}");
    }
}

#[tokio::test]
async fn files_that_are_too_large_are_not_read() {
    let (bench, _) = bench(true, true, None);
    let path = bench.put("film.mp4", MP4);
    File::options().write(true).open(&path).unwrap().set_len(MAX_FILE + 1).unwrap();
    let value = look(&bench, &path).await;
    assert_eq!(brief(&value), "File too large");
    assert!(value.message.contains("100 MiB"), "{}", value.message);
}

#[tokio::test]
async fn only_what_the_model_takes_is_shown() {
    for (image_in, video_in, path) in [(false, true, "a.png"), (true, false, "a.mp4")] {
        let (bench, files) = bench(image_in, video_in, None);
        bench.put("a.png", png(1, 1));
        bench.put("a.mp4", MP4);
        assert_eq!(brief(&look(&bench, path).await), "Unsupported media type");
        assert!(files.got.lock().unwrap().is_empty());
    }
    assert_eq!(brief(&look(&Bench::new(), "none.png").await), "File not found");
}

#[tokio::test]
async fn a_film_is_uploaded_where_that_is_possible() {
    let (bench, files) = bench(false, true, Some(Ok("ms://f1".to_owned())));
    let path = bench.put("a.mov", MP4);
    let value = look(&bench, "a.mov").await;
    let ToolOutput::Parts(parts) = &value.output else { panic!("{value:?}") };
    assert_eq!(parts[0], ContentPart::text(format!("<video path=\"{}\">", path.display())));
    let url = MediaUrl { url: "ms://f1".to_owned(), id: None };
    assert_eq!(parts[1], ContentPart::VideoUrl { video_url: url });
    let size = MP4.len();
    assert_eq!(
        value.message,
        format!("Read video file `{}` (video/mp4, {size} bytes).", path.display())
    );
    let got = files.got.lock().unwrap();
    let expected =
        UploadedFile { name: "a.mov".to_owned(), mime: "video/mp4", bytes: MP4.to_vec() };
    assert_eq!(*got, [expected]);
}

#[tokio::test]
async fn a_film_goes_inside_the_message_where_nothing_keeps_files() {
    let missing = LlmError::Status {
        code: 404,
        message: "nothing here".to_owned(),
        request_id: None,
        retry_after: None,
    };
    for answer in [None, Some(Err(missing))] {
        let (bench, _) = bench(false, true, answer);
        let path = bench.put("a.mp4", MP4);
        let value = look(&bench, "a.mp4").await;
        let ToolOutput::Parts(parts) = &value.output else { panic!("{value:?}") };
        let url = MediaUrl { url: data_url("video/mp4", MP4), id: None };
        assert_eq!(parts[1], ContentPart::VideoUrl { video_url: url });
        File::options().write(true).open(&path).unwrap().set_len((10 << 20) + 1).unwrap();
        assert_eq!(brief(&look(&bench, "a.mp4").await), "File too large");
    }
}

#[tokio::test]
async fn an_upload_that_fails_is_told() {
    let broken = LlmError::Connection("the connection broke".to_owned());
    let (bench, _) = bench(false, true, Some(Err(broken)));
    bench.put("a.mp4", MP4);
    let value = look(&bench, "a.mp4").await;
    assert_eq!(brief(&value), "Upload failed");
    assert!(value.message.contains("the connection broke"), "{}", value.message);
}

#[test]
fn the_description_says_what_the_model_can_take() {
    let told = |image_in, video_in| {
        ReadMediaFile::default().described_for(Capabilities {
            image_in,
            video_in,
            ..Capabilities::default()
        })
    };
    assert_eq!(told(false, false), None);
    assert!(told(true, false).unwrap().ends_with("pictures, but no films."));
    assert!(told(false, true).unwrap().ends_with("films, but no pictures."));
    assert!(told(true, true).unwrap().ends_with("pictures and films."));
}
