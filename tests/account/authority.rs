//! An authority, the models of its account and the model itself, on one port of this machine.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

/// What is said to questions after a token, one after another.
#[derive(Default)]
struct State {
    answers: VecDeque<(u16, Value)>,
    /// When each question came.
    asked: Vec<Instant>,
    /// The access token that the model takes.
    good: String,
    /// How many tokens were given.
    given: usize,
}

/// The authority.
pub struct Authority {
    pub server: ModelServer,
    state: Arc<Mutex<State>>,
}

impl Authority {
    /// One that answers questions after a token with these, and then with tokens `access-1`, ... as if a
    /// person had agreed. The model answers "Yes." to whoever has the latest token.
    pub fn new(answers: &[(u16, Value)]) -> Self {
        let state = State { answers: answers.iter().cloned().collect(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let known = state.clone();
        let server = ModelServer::start(move |request: &Recorded, _| {
            let good = format!("Bearer {}", known.lock().unwrap().good);
            match request.header("authorization") {
                Some(token) if token == good => Reply::new().text("Yes."),
                _ => Reply::status(401, json!({"error": {"message": "who are you?"}})),
            }
        });
        let mut code = 0;
        server.also_by("/api/oauth/device_authorization", move |_| {
            code += 1;
            Reply::status(200, device(code))
        });
        let told = state.clone();
        server.also_by("/api/oauth/token", move |_| {
            let mut state = told.lock().unwrap();
            state.asked.push(Instant::now());
            if let Some((status, answer)) = state.answers.pop_front() {
                return Reply::status(status, answer);
            }
            state.given += 1;
            state.good = format!("access-{}", state.given);
            let refresh = format!("refresh-{}", state.given);
            Reply::status(
                200,
                json!({"access_token": state.good, "refresh_token": refresh, "expires_in": 900,
                    "scope": "kimi-code", "token_type": "Bearer"}),
            )
        });
        server.also("/v1/models", Reply::status(200, models()));
        Self { server, state }
    }

    /// A home whose account is here.
    pub fn home(&self) -> Home {
        let url = self.server.url();
        Home::bare()
            .var("KIMI_CODE_OAUTH_HOST", url.trim_end_matches("/v1"))
            .var("KIMI_CODE_BASE_URL", &url)
    }

    /// A home that is signed in, with a token that has this many seconds left of 900, under this key.
    pub fn signed_in(&self, seconds: f64, key: &str) -> Home {
        let home = self.home();
        let config = Home::config(&self.server.url()).replace("sk-test", key);
        let oauth = "oauth = { storage = \"file\", key = \"oauth/kimi-code\" }\n";
        home.write("share/config.toml", config + oauth);
        let until = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let token = json!({"access_token": "access-0", "refresh_token": "refresh-0",
            "expires_at": until.unwrap().as_secs_f64() + seconds, "expires_in": 900.0,
            "scope": "", "token_type": "Bearer", "theirs": 1});
        home.write("share/credentials/kimi-code.json", token.to_string());
        home
    }

    /// Has the model take this token.
    pub fn take(&self, access: &str) {
        self.state.lock().unwrap().good = access.to_owned();
    }

    /// The forms of the questions after a token.
    pub fn asked(&self) -> Vec<String> {
        let asked = self.server.requests_to("/api/oauth/token");
        asked.into_iter().map(|request| request.raw).collect()
    }

    /// When they came.
    pub fn asked_at(&self) -> Vec<Instant> {
        self.state.lock().unwrap().asked.clone()
    }
}

/// What a sign-in begins with; the codes are counted.
pub fn device(code: usize) -> Value {
    json!({"user_code": format!("ABCD-000{code}"), "device_code": format!("device-{code}"),
        "verification_uri": "https://kimi.example/device",
        "verification_uri_complete": format!("https://kimi.example/device?code=ABCD-000{code}"),
        "expires_in": 600, "interval": 1})
}

/// The account's models.
fn models() -> Value {
    json!({"object": "list", "data": [
        {"id": "kimi-for-coding", "context_length": 262_144, "supports_reasoning": true,
            "supports_image_in": true, "supports_video_in": false, "display_name": "Kimi for Coding"},
        {"id": "kimi-small", "context_length": 32_768},
    ]})
}

/// The file with the token.
pub fn credentials(home: &Home) -> PathBuf {
    home.path("share/credentials/kimi-code.json")
}

/// The access token that is kept.
pub fn kept(home: &Home) -> Option<String> {
    let text = std::fs::read_to_string(credentials(home)).ok()?;
    let token: Value = serde_json::from_str(&text).unwrap();
    token["access_token"].as_str().map(str::to_owned)
}
