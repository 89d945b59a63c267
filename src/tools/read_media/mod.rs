//! `ReadMediaFile`: shows the model a picture or a film (tools.md section 3).

mod format;
mod picture;
mod video;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;

use self::format::Format;
use super::blocking::{bounded, on_file};
use super::file_access::cancelled;
use super::sniff::{self, Kind};
use super::{CallContext, Effect, Tool, ToolReturn, arguments, schema};
use crate::llm::Capabilities;
use crate::protocol::{ContentPart, MediaUrl, ToolOutput, ToolReturnValue};

/// Larger files are not looked at.
const MAX_FILE: u64 = 100 << 20;
/// How long a picture may take to be made fit.
const PICTURE_LIMIT: Duration = Duration::from_secs(60);

/// Shows a picture or a film to the model.
pub struct ReadMediaFile {
    /// A picture in memory is many times its file: one at a time.
    one: Semaphore,
}

impl Default for ReadMediaFile {
    fn default() -> Self {
        Self { one: Semaphore::new(1) }
    }
}

#[derive(Deserialize)]
struct Arguments {
    path: String,
}

/// A file that was found to be a picture or a film.
struct Medium {
    /// As it is shown.
    path: PathBuf,
    /// `None` for a picture or film of a kind we do not know.
    format: Option<Format>,
    kind: Kind,
    bytes: Vec<u8>,
}

#[async_trait]
impl Tool for ReadMediaFile {
    fn name(&self) -> &'static str {
        "ReadMediaFile"
    }

    fn description(&self) -> &str {
        include_str!("../../../assets/tools/read_media_file.md").trim_end()
    }

    fn described_for(&self, model: Capabilities) -> Option<String> {
        let takes = match (model.image_in, model.video_in) {
            (true, true) => "You can take pictures and films.",
            (true, false) => "You can take pictures, but no films.",
            (false, true) => "You can take films, but no pictures.",
            (false, false) => return None,
        };
        Some(format!("{} {takes}", self.description()))
    }

    fn parameters(&self) -> Value {
        schema::object(
            &[("path", schema::string("File to look at. Absolute when outside the workspace."))],
            &["path"],
        )
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Read
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        arguments::with(arguments, async |Arguments { path }| {
            let model = cx.llm.as_ref().map(|llm| llm.capabilities).unwrap_or_default();
            let medium =
                on_file(cx, path, "show", move |target| open(&target.path, &target.real, model))
                    .await?;
            let shown = match medium.kind {
                Kind::Video => video::show(medium, cx).await,
                _ => self.show_picture(medium, cx).await,
            };
            shown.map(ToolReturn::from)
        })
        .await
    }
}

impl ReadMediaFile {
    async fn show_picture(
        &self,
        medium: Medium,
        cx: &CallContext,
    ) -> Result<ToolReturnValue, ToolReturnValue> {
        let Medium { path, format, bytes, .. } = medium;
        let size = bytes.len();
        let _turn = tokio::select! {
            turn = self.one.acquire() => turn,
            () = cx.cancel.cancelled() => return Err(cancelled()),
        };
        let shown = path.display().to_string();
        let picture = bounded(PICTURE_LIMIT, &cx.cancel, move || picture::fit(bytes, format))
            .await?
            .map_err(|unfit| unfit.told(&shown))?;
        let (width, height) = picture.original;
        let mut message = format!(
            "Read image file `{shown}` ({}, {size} bytes, original size {width}x{height} pixels).",
            format.map_or("unknown", Format::mime),
        );
        if picture.sent != picture.original || format.map(Format::mime) != Some(picture.mime) {
            let (width, height) = picture.sent;
            message.push_str(&format!(
                " It is shown to you as {} of {width}x{height} pixels.",
                picture.mime
            ));
        }
        message.push_str(
            " To name places in it, estimate them as shares of its width and height and reckon them \
             in pixels of the original size. After making or changing a picture, look at the result \
             again.",
        );
        let url = data_url(picture.mime, &picture.bytes);
        let part = ContentPart::ImageUrl { image_url: MediaUrl { url, id: None } };
        Ok(wrapped("image", &path, part, message))
    }
}

/// Opens a file, if it is a medium that the model takes, and reads it.
fn open(path: &Path, real: &Path, model: Capabilities) -> Result<Medium, ToolReturnValue> {
    let shown = path.display();
    let failed = |error: io::Error| {
        ToolReturnValue::error(
            format!("Failed to read file `{shown}`: {error}."),
            "Failed to read file",
        )
    };
    let metadata = match std::fs::metadata(real) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ToolReturnValue::error(
                format!("`{shown}` does not exist. Look for it with Glob."),
                "File not found",
            ));
        }
        Err(error) => return Err(failed(error)),
    };
    if !metadata.is_file() {
        return Err(ToolReturnValue::error(
            format!("`{shown}` is not a file. Give the path of a picture or a film."),
            "Invalid path",
        ));
    }
    if metadata.len() == 0 {
        return Err(ToolReturnValue::error(format!("`{shown}` is empty."), "Empty file"));
    }
    let too_large = || {
        let message = format!(
            "`{shown}` is larger than {} MiB. Make a smaller copy with a Shell command.",
            MAX_FILE >> 20
        );
        ToolReturnValue::error(message, "File too large")
    };
    if metadata.len() > MAX_FILE {
        return Err(too_large());
    }
    let mut file = File::open(real).map_err(failed)?;
    let mut bytes = Vec::new();
    file.by_ref().take(sniff::HEADER as u64).read_to_end(&mut bytes).map_err(failed)?;
    let kind = sniff::sniff(path, &bytes);
    let (word, takes) = match kind {
        Kind::Image => ("pictures", model.image_in),
        Kind::Video => ("films", model.video_in),
        Kind::Text => {
            return Err(ToolReturnValue::error(
                format!("`{shown}` is a text file. Read it with ReadFile."),
                "Unsupported file type",
            ));
        }
        Kind::Unknown => {
            return Err(ToolReturnValue::error(
                format!(
                    "`{shown}` is neither a picture nor a film. Use a Shell command that \
                     understands its format."
                ),
                "File not readable",
            ));
        }
    };
    if !takes {
        return Err(ToolReturnValue::error(
            format!("`{shown}` cannot be shown: the model in use takes no {word}."),
            "Unsupported media type",
        ));
    }
    let format = Format::of(&bytes);
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(too_large());
    }
    Ok(Medium { path: path.to_path_buf(), format, kind, bytes })
}

fn data_url(mime: &str, bytes: &[u8]) -> String {
    use base64::Engine as _;
    let mut url = format!("data:{mime};base64,");
    base64::engine::general_purpose::STANDARD.encode_string(bytes, &mut url);
    url
}

/// A medium between two texts that name its file.
fn wrapped(tag: &str, path: &Path, part: ContentPart, message: String) -> ToolReturnValue {
    let path = path.display().to_string();
    let path = path.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let path = path.replace('"', "&quot;").replace('\'', "&#x27;");
    ToolReturnValue {
        output: ToolOutput::Parts(vec![
            ContentPart::text(format!("<{tag} path=\"{path}\">")),
            part,
            ContentPart::text(format!("</{tag}>")),
        ]),
        message,
        ..ToolReturnValue::default()
    }
}

#[cfg(test)]
mod tests;
