//! The proof that a code is ours (RFC 7636), and the state that tells our login from others.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::platform::Env;

/// The secret of one login.
pub(super) struct Verifier(String);

impl Verifier {
    /// A fresh one: 64 characters with 244 random bits.
    pub fn new(env: &Env) -> Self {
        Self(random(env) + &random(env))
    }

    /// The secret itself, for the token endpoint alone.
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// What the authorization endpoint is told of it, method S256.
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.0.as_bytes()))
    }
}

/// 32 characters with 122 random bits.
pub(super) fn random(env: &Env) -> String {
    env.ids.uuid().replace('-', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        let verifier = Verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
        assert_eq!(verifier.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn every_login_has_its_own() {
        let env = fixed::env("/h", &[]);
        let (one, other) = (Verifier::new(&env), Verifier::new(&env));
        assert_ne!(one.secret(), other.secret());
        assert_eq!(one.secret().len(), 64);
        assert!(one.secret().bytes().all(|b| b.is_ascii_alphanumeric()));
    }
}
