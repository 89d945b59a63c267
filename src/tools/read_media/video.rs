//! Showing a film: uploaded where the provider keeps files, else inside the message.

use super::format::Format;
use super::{Medium, data_url, wrapped};
use crate::llm::UploadedFile;
use crate::protocol::{ContentPart, MediaUrl, ToolReturnValue};
use crate::tools::CallContext;
use crate::tools::file_access::cancelled;

/// Bytes of a film inside a message, where it goes with every later request.
const MAX_INLINE: usize = 10 << 20;

/// The film as a part of a message.
pub(super) async fn show(
    medium: Medium,
    cx: &CallContext,
) -> Result<ToolReturnValue, ToolReturnValue> {
    let Medium { path, format, bytes, .. } = medium;
    let shown = path.display();
    let Some(Format::Video(mime)) = format else {
        return Err(ToolReturnValue::error(
            format!("`{shown}` is named like a film, but does not begin like one."),
            "File not readable",
        ));
    };
    let size = bytes.len();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = UploadedFile { name, mime, bytes };
    let uploaded = match &cx.llm {
        Some(llm) => tokio::select! {
            uploaded = llm.provider.upload_video(&file) => uploaded,
            () = cx.cancel.cancelled() => return Err(cancelled()),
        },
        None => None,
    };
    let url = match uploaded {
        Some(Ok(url)) => url,
        // A server that speaks the dialect and keeps no files.
        Some(Err(error)) if error.status() != Some(404) => {
            return Err(ToolReturnValue::error(
                format!("`{shown}` could not be uploaded: {error}."),
                "Upload failed",
            ));
        }
        _ if size > MAX_INLINE => {
            return Err(ToolReturnValue::error(
                format!(
                    "`{shown}` is larger than {} MiB, the most that this provider is sent of a film. \
                     Make a shorter or smaller copy, or look at single frames, with ffmpeg.",
                    MAX_INLINE >> 20
                ),
                "File too large",
            ));
        }
        _ => data_url(mime, &file.bytes),
    };
    let message = format!("Read video file `{shown}` ({mime}, {size} bytes).");
    let part = ContentPart::VideoUrl { video_url: MediaUrl { url, id: None } };
    Ok(wrapped("video", &path, part, message))
}
