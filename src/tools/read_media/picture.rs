//! Making a picture fit for a model server: of a kind that all of them take, no larger than a model
//! sees, upright.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, ImageResult, Limits, RgbImage};

use super::format::Format;
use crate::protocol::ToolReturnValue;

/// Pixels of the longer side that a model is shown: models shrink more by themselves.
const MAX_SIDE: u32 = 2_048;
/// Bytes of a picture that is sent. It stays in the conversation and goes with every later request.
const MAX_SENT: usize = 3 << 20;
/// Bytes of a picture in memory; 64 megapixels in colour with transparency. A few kilobytes of file
/// can claim to be much more.
const MAX_DECODED: u64 = 256 << 20;

/// How much of a JPEG is kept, in turn until it is small enough.
const QUALITIES: [u8; 3] = [85, 70, 50];

/// A picture that is ready to be sent.
#[derive(Debug)]
pub struct Picture {
    pub bytes: Vec<u8>,
    pub mime: &'static str,
    /// Width and height in pixels, as they are in the file and as they are sent.
    pub original: (u32, u32),
    pub sent: (u32, u32),
}

/// Why a picture cannot be shown.
#[derive(Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Of a kind that is not decoded here: its name.
    Foreign(&'static str),
    /// More pixels than are held in memory.
    Huge(u32, u32),
    Damaged(String),
}

impl Unfit {
    /// The result of the call.
    pub fn told(&self, path: &str) -> ToolReturnValue {
        match self {
            Self::Foreign(what) => ToolReturnValue::error(
                format!(
                    "`{path}` is {what}, which cannot be shown. Convert it to PNG or JPEG with a \
                     Shell command first (magick, ffmpeg, sips or heif-convert, whichever there is)."
                ),
                "Unsupported media type",
            ),
            Self::Huge(width, height) => ToolReturnValue::error(
                format!(
                    "`{path}` has {width}x{height} pixels, too many to be shown. Make a smaller copy \
                     or cut out a part with a Shell command."
                ),
                "Image too large",
            ),
            Self::Damaged(why) => ToolReturnValue::error(
                format!("`{path}` cannot be read as a picture: {why}."),
                "File not readable",
            ),
        }
    }
}

/// Makes a picture fit. One that is fit already keeps its bytes; it is decoded all the same, because
/// a server that cannot would refuse every later request.
pub fn fit(bytes: Vec<u8>, format: Option<Format>) -> Result<Picture, Unfit> {
    let (format, mime, lossless) = match format {
        Some(Format::Png) => (ImageFormat::Png, Some("image/png"), true),
        Some(Format::Jpeg) => (ImageFormat::Jpeg, Some("image/jpeg"), false),
        Some(Format::Gif) => (ImageFormat::Gif, Some("image/gif"), true),
        Some(Format::WebP) => (ImageFormat::WebP, Some("image/webp"), false),
        Some(Format::Bmp) => (ImageFormat::Bmp, None, true),
        Some(Format::Tiff) => (ImageFormat::Tiff, None, true),
        Some(Format::Foreign(_, what)) => return Err(Unfit::Foreign(what)),
        Some(Format::Video(_)) | None => {
            return Err(Unfit::Damaged("it does not begin like one".to_owned()));
        }
    };
    let (mut image, original, orientation) = decode(&bytes, format)?;
    let small = original.0.max(original.1) <= MAX_SIDE && bytes.len() <= MAX_SENT;
    if let Some(mime) = mime.filter(|_| small && orientation == Orientation::NoTransforms) {
        return Ok(Picture { bytes, mime, original, sent: original });
    }
    drop(bytes);
    if original.0.max(original.1) > MAX_SIDE {
        image = image.resize(MAX_SIDE, MAX_SIDE, FilterType::CatmullRom);
    }
    image.apply_orientation(orientation);
    let sent = (image.width(), image.height());
    let (bytes, mime) =
        encode(&image, lossless).map_err(|error| Unfit::Damaged(one_line(&error)))?;
    Ok(Picture { bytes, mime, original, sent })
}

/// The first frame, its size, and how it has to be turned.
fn decode(
    bytes: &[u8],
    format: ImageFormat,
) -> Result<(DynamicImage, (u32, u32), Orientation), Unfit> {
    let damaged = |error: image::ImageError| Unfit::Damaged(one_line(&error));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED * 2);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    if decoder.total_bytes() > MAX_DECODED {
        return Err(Unfit::Huge(width, height));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    Ok((image, (width, height), orientation))
}

/// Drawings and screens without loss where that is small enough, everything else as JPEG.
fn encode(image: &DynamicImage, lossless: bool) -> ImageResult<(Vec<u8>, &'static str)> {
    let mut bytes = Vec::new();
    if lossless || image.color().has_alpha() {
        // Servers take eight bits of a channel.
        let plain = DynamicImage::from(image.to_rgba8());
        let plain = if image.color().has_alpha() { plain } else { plain.to_rgb8().into() };
        plain.write_with_encoder(PngEncoder::new(&mut bytes))?;
        if bytes.len() <= MAX_SENT {
            return Ok((bytes, "image/png"));
        }
    }
    let flat = on_white(image);
    for quality in QUALITIES {
        bytes.clear();
        flat.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality))?;
        if bytes.len() <= MAX_SENT {
            break;
        }
    }
    Ok((bytes, "image/jpeg"))
}

fn on_white(image: &DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.to_rgb8();
    }
    let rgba = image.to_rgba8();
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [r, g, b, a] = rgba.get_pixel(x, y).0.map(u32::from);
        let over = |channel: u32| ((channel * a + 255 * (255 - a)) / 255) as u8;
        image::Rgb([over(r), over(g), over(b)])
    })
}

fn one_line(error: &image::ImageError) -> String {
    let text: String =
        error.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.chars().take(200).collect::<String>().trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
