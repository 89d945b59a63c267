//! The character set of a page: what the server says, else what the page says, else UTF-8. A byte
//! order mark overrules all of them (Encoding Standard, "decode").

use encoding_rs::{Encoding, UTF_8};

/// Bytes at the beginning in which a page may name its character set (HTML Standard, "prescan a
/// byte stream to determine its encoding").
const PRESCAN: usize = 1024;

/// The text of a body; what its character set does not know becomes U+FFFD. `content_type` is the
/// server's header with its parameters.
pub fn decode(body: &[u8], content_type: &str) -> String {
    let encoding = in_header(content_type).or_else(|| in_page(body)).unwrap_or(UTF_8);
    encoding.decode(body).0.into_owned()
}

fn in_header(content_type: &str) -> Option<&'static Encoding> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let named = name.trim().eq_ignore_ascii_case("charset");
        named.then(|| Encoding::for_label(value.trim().trim_matches(['"', '\'']).as_bytes()))?
    })
}

fn in_page(body: &[u8]) -> Option<&'static Encoding> {
    let start = String::from_utf8_lossy(body.get(..PRESCAN).unwrap_or(body)).to_ascii_lowercase();
    let in_xml = start
        .strip_prefix("<?xml")
        .and_then(|rest| rest.split("?>").next())
        .and_then(|declaration| value_of(declaration, "encoding"));
    let in_meta = || {
        start.split("<meta").skip(1).find_map(|meta| value_of(meta.split('>').next()?, "charset"))
    };
    let encoding = in_xml.or_else(in_meta)?;
    // A page that can be read so far is not UTF-16, whatever it says.
    Some(if encoding.is_ascii_compatible() { encoding } else { UTF_8 })
}

/// The encoding that `name=value` in a tag stands for, with or without quotes.
fn value_of(tag: &str, name: &str) -> Option<&'static Encoding> {
    let (_, rest) = tag.split_once(name)?;
    let value = rest.trim_start().strip_prefix('=')?.trim_start();
    let value = value.trim_start_matches(['"', '\'']);
    let end = value.find(['"', '\'', ';', '/', ' ']).unwrap_or(value.len());
    Encoding::for_label(value.get(..end)?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn the_server_is_believed_before_the_page_and_a_mark_before_both() {
        let latin = b"caf\xe9";
        assert_eq!(decode(latin, "text/plain; charset=ISO-8859-1"), "café");
        assert_eq!(decode(latin, "text/plain; Charset=\"latin1\"; x=y"), "café");
        assert_eq!(decode(latin, "text/plain"), "caf\u{fffd}");
        assert_eq!(decode(latin, "text/plain; charset=klingon"), "caf\u{fffd}");
        let gbk = b"<html><META http-equiv=x content='text/html; charset=gbk'>\xc4\xe3\xba\xc3";
        assert!(decode(gbk, "text/html").ends_with("你好"));
        assert!(decode(b"<meta charset=\"GBK\"/>\xc4\xe3", "text/html").ends_with('你'));
        assert!(decode(gbk, "text/html; charset=latin1").ends_with("ÄãºÃ"));
        let xml = b"<?xml version='1.0' encoding='iso-8859-1'?>\xe9";
        assert!(decode(xml, "application/xml").ends_with('é'));
        assert_eq!(decode(b"\xff\xfeh\0i\0", "text/html; charset=gbk"), "hi");
        assert!(decode("<meta charset=utf-16>é".as_bytes(), "text/html").ends_with('é'));
        assert_eq!(decode(b"<meta charset", "text/html"), "<meta charset");
    }
}
