//! Pictures for the message that is being written: from the clipboard, from dropped files, from the
//! history. All of it on other threads; what takes long comes late and never in between.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::jobs::Done;
use super::{App, TuiError};
use crate::front::text::clean_line;
use crate::front::tui::composer::{Loaded, Picture};
use crate::front::tui::dropped::pictures_in;
use crate::store::PictureStore;
use crate::tools::read_media::{self, data_url};

/// What waits for pictures to be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    Submit,
    Steer,
}

impl App {
    fn picture_store(&self) -> PictureStore {
        PictureStore::new(self.host.store.share().pictures())
    }

    /// Pastes what is on the clipboard: a picture if there is one, else text.
    pub(super) fn paste_clipboard(&self) {
        self.jobs.paste(self.picture_store(), self.info.image_in);
    }

    /// The pasted text stands in the composer. If it names pictures they take its place once they are
    /// read.
    pub(super) fn look_for_dropped(&mut self, pasted: &str) {
        let Some(paths) = pictures_in(pasted, &self.env) else { return };
        if !self.info.image_in {
            return self.no_pictures("the path is sent as text");
        }
        let (store, pasted) = (self.picture_store(), pasted.to_owned());
        self.jobs.start(move || {
            let pictures = paths.iter().map(|path| taken(path, &store)).collect();
            Done::Dropped { pasted, pictures }
        });
    }

    pub(super) fn on_dropped(
        &mut self,
        pasted: &str,
        pictures: Result<Option<Vec<Picture>>, String>,
    ) {
        match pictures {
            Ok(Some(pictures)) => {
                self.dirty |= self.composer.attach_for(pasted, pictures);
            }
            // No such file: it was text after all.
            Ok(None) => {}
            Err(why) => self.toast("paste", &clean_line(&why)),
        }
    }

    pub(super) fn on_pasted_picture(&mut self, picture: Result<Picture, String>) {
        match picture {
            Ok(picture) => {
                self.composer.attach(picture);
                self.dirty = true;
            }
            Err(why) => self.toast("paste", &clean_line(&why)),
        }
    }

    /// Says that the model cannot see.
    pub(super) fn no_pictures(&mut self, so: &str) {
        let model = self.info.model_display.as_deref().unwrap_or("no model");
        let text = format!("{} takes no pictures: {so}", clean_line(model));
        self.toast("paste", &text);
    }

    /// Whether the message has to wait for a picture; it is sent as soon as that is there.
    pub(super) fn waits_for_pictures(&mut self, sending: Sending) -> bool {
        let unloaded = self.composer.unloaded();
        if unloaded.is_empty() {
            return false;
        }
        if self.sending.replace(sending).is_none() {
            let store = self.picture_store();
            self.jobs.start(move || Done::PicturesLoaded(load(&unloaded, &store)));
        }
        true
    }

    pub(super) fn on_pictures_loaded(&mut self, gone: &[String]) -> Result<(), TuiError> {
        let sending = self.sending.take();
        self.dirty = true;
        if let [name, ..] = gone {
            let text = format!("{name} is not kept any more: enter sends the message without it");
            self.toast("paste", &text);
            return Ok(());
        }
        match sending {
            Some(Sending::Submit) => self.submit(),
            Some(Sending::Steer) => self.steer(),
            None => Ok(()),
        }
    }
}

/// Reads and keeps a file. `None` when there is none.
fn taken(path: &Path, store: &PictureStore) -> Result<Option<Picture>, String> {
    let Some(picture) = read_media::picture_of_file(path)? else { return Ok(None) };
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    kept(&picture, &stem, path.display().to_string(), store).map(Some)
}

/// Makes what was on the clipboard a picture of a message. The error is one line.
pub(super) fn of_clipboard(bytes: Vec<u8>, store: &PictureStore) -> Result<Picture, String> {
    let picture =
        read_media::picture_of(bytes).map_err(|why| format!("What is on the clipboard {why}"))?;
    kept(&picture, "clipboard", String::new(), store)
}

fn kept(
    picture: &read_media::Picture,
    stem: &str,
    source: String,
    store: &PictureStore,
) -> Result<Picture, String> {
    let name = store
        .keep(stem, &picture.bytes, picture.mime)
        .map_err(|error| format!("The picture cannot be kept: {error}"))?;
    let loaded = loaded(store.path(&name), &picture.bytes, picture.mime);
    Ok(Picture::new(name, picture.sent, source, loaded))
}

fn loaded(path: PathBuf, bytes: &[u8], mime: &str) -> Loaded {
    Loaded { path: path.display().to_string(), url: data_url(mime, bytes) }
}

/// Loads pictures that are kept; answers the names of those that are not.
fn load(pictures: &[Arc<Picture>], store: &PictureStore) -> Vec<String> {
    let mut gone = Vec::new();
    for picture in pictures {
        // Whatever has become of the file: what is sent is a picture.
        let found = store.load(&picture.name).ok().filter(|(bytes, mime)| {
            read_media::picture_of(bytes.clone()).is_ok_and(|fit| fit.mime == *mime)
        });
        if found.is_none() {
            gone.push(picture.name.clone());
        }
        picture.settle(found.map(|(bytes, mime)| loaded(store.path(&picture.name), &bytes, mime)));
    }
    gone
}
