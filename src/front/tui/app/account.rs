//! `/login` and `/logout`: the account that models are asked with, while everything else goes on.

use tokio_util::task::AbortOnDropHandle;

use super::App;
use super::jobs::Done;
use crate::auth::{News, sign_in, sign_out};
use crate::front::tui::cells::Severity;

/// What is told of signing in or out.
pub(super) enum AccountNews {
    /// It goes on.
    Step(News),
    /// Somebody is signed in; the error is half a sentence.
    In(Result<(), String>),
    /// Nobody is any more; a line on what else is to be known.
    Out(Result<Option<String>, String>),
}

impl App {
    /// Begins to sign in. An attempt that is under way ends: its page may be lost.
    pub(super) fn sign_in(&mut self) {
        if self.is_of_this_run() {
            return;
        }
        let (jobs, env) = (self.jobs.clone(), self.env.clone());
        let task = tokio::spawn(async move {
            let told = |news| {
                jobs.report(Done::Account(AccountNews::Step(news)));
                true
            };
            let done = sign_in(&env, told).await.map_err(|error| error.to_string());
            jobs.report(Done::Account(AccountNews::In(done)));
        });
        self.signing_in = Some(AbortOnDropHandle::new(task));
        self.toast("login", "asking for a code");
    }

    /// Signs out; an attempt to sign in that is under way ends.
    pub(super) fn sign_out(&mut self) {
        if self.is_of_this_run() {
            return;
        }
        self.signing_in = None;
        let (jobs, env) = (self.jobs.clone(), self.env.clone());
        tokio::spawn(async move {
            let done = sign_out(&env).await.map_err(|error| error.to_string());
            jobs.report(Done::Account(AccountNews::Out(done)));
        });
    }

    pub(super) fn on_account(&mut self, news: AccountNews) {
        match news {
            AccountNews::Step(News::Address { page, user_code }) => {
                let title = format!("Sign in with the browser; the page shows {user_code}:");
                self.report(&title, &page);
            }
            AccountNews::Step(News::Info(line)) => self.toast("login", &line),
            AccountNews::Step(News::Waiting { .. }) => {}
            AccountNews::In(Ok(())) => self.on_other_account("You are signed in."),
            AccountNews::Out(Ok(note)) => {
                self.on_other_account("You are signed out.");
                if let Some(note) = note {
                    self.say(Severity::Info, &note, "");
                }
            }
            AccountNews::In(Err(why)) => {
                let title = format!("Signing in failed: {}.", why.trim_end_matches('.'));
                self.say(Severity::Warning, &title, "Try again with /login.");
            }
            AccountNews::Out(Err(why)) => {
                let title = format!("Signing out failed: {}.", why.trim_end_matches('.'));
                self.say(Severity::Warning, &title, "");
            }
        }
    }

    /// The configuration is another now. It is read at once where that disturbs nobody.
    fn on_other_account(&mut self, title: &str) {
        self.signing_in = None;
        if self.busy() {
            return self.say(Severity::Info, title, "Take over its models with /reload.");
        }
        self.say(Severity::Info, title, "");
        self.reload();
    }

    /// Whether the configuration is for this run alone: an account would have nowhere to go.
    fn is_of_this_run(&mut self) -> bool {
        let own = self.host.own_config().is_some();
        if !own {
            let title = "Accounts belong to the default configuration file.";
            let what = "Start kimi without --config and --config-file for this.";
            self.say(Severity::Warning, title, what);
        }
        !own
    }
}
