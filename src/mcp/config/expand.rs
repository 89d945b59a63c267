//! `${VAR}` and `${VAR:-default}` in the texts of a server.

use std::collections::{BTreeMap, BTreeSet};

use super::{Auth, OauthClient, Reach, ServerConfig};
use crate::platform::Env;

impl ServerConfig {
    /// The server with variables put in place in command, arguments, environment, address, headers
    /// and token, and a `BearerFrom` turned into the token. The error names what is missing.
    ///
    /// `$` without a brace stays as it is, and so does a brace that does not close. What a variable
    /// holds is not looked at again.
    pub fn expanded(&self, env: &Env) -> Result<Self, String> {
        if self.literal {
            return Ok(self.clone());
        }
        let text = |text: &String| expand(text, env);
        let map = |map: &BTreeMap<String, String>| -> Result<BTreeMap<String, String>, String> {
            map.iter().map(|(key, value)| Ok((key.clone(), text(value)?))).collect()
        };
        let reach = match &self.reach {
            Reach::Stdio { command, args, env, cwd } => Reach::Stdio {
                command: text(command)?,
                args: args.iter().map(text).collect::<Result<_, String>>()?,
                env: map(env)?,
                cwd: match cwd {
                    Some(dir) => Some(text(&dir.to_string_lossy().into_owned())?.into()),
                    None => None,
                },
            },
            Reach::Remote { url, wire, headers, auth } => Reach::Remote {
                url: text(url)?,
                wire: *wire,
                headers: map(headers)?,
                auth: match auth {
                    Auth::Bearer(token) => Auth::Bearer(text(token)?),
                    Auth::BearerFrom(name) => match env.var(name) {
                        Some(token) => Auth::Bearer(token.to_owned()),
                        None => return Err(format!("the environment variable {name} is not set")),
                    },
                    Auth::Oauth(client) => Auth::Oauth(OauthClient {
                        id: client.id.as_ref().map(text).transpose()?,
                        secret: client.secret.as_ref().map(text).transpose()?,
                        ..client.clone()
                    }),
                    Auth::None => Auth::None,
                },
            },
        };
        Ok(Self { reach, ..self.clone() })
    }

    /// The names of the variables that it takes from the environment, in their order.
    pub fn variables(&self) -> Vec<String> {
        let mut names = BTreeSet::new();
        let mut look = |text: &str| {
            // Nothing is taken here, so that nothing is missing.
            let _ = fill(text, |name| {
                names.insert(name.to_owned());
                Some("")
            });
        };
        match &self.reach {
            Reach::Stdio { command, args, env, cwd } => {
                look(command);
                args.iter().chain(env.values()).for_each(|text| look(text));
                if let Some(dir) = cwd {
                    look(&dir.to_string_lossy());
                }
            }
            Reach::Remote { url, headers, auth, .. } => {
                look(url);
                headers.values().for_each(|text| look(text));
                match auth {
                    Auth::Bearer(token) => look(token),
                    Auth::BearerFrom(name) => drop(names.insert(name.clone())),
                    Auth::None | Auth::Oauth(_) => {}
                }
            }
        }
        names.into_iter().collect()
    }
}

fn expand(text: &str, env: &Env) -> Result<String, String> {
    fill(text, |name| env.var(name))
}

fn fill<'a>(text: &str, mut value: impl FnMut(&str) -> Option<&'a str>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let variable = after.split_once('}').and_then(|(inside, left)| {
            let (name, default) = match inside.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inside, None),
            };
            is_name(name).then_some((name, default, left))
        });
        let Some((name, default, left)) = variable else {
            out.push_str("${");
            rest = after;
            continue;
        };
        match value(name).or(default) {
            Some(value) => out.push_str(value),
            None => return Err(format!("the environment variable {name} is not set")),
        }
        rest = left;
    }
    out.push_str(rest);
    Ok(out)
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::env::fixed;

    #[test]
    fn variables_are_put_in_place_once() {
        let env = fixed::env("/h", &[("A", "${B}"), ("B", "b"), ("EMPTY", "")]);
        let expand = |text| expand(text, &env);
        assert_eq!(
            expand("x ${A} ${B}y $B ${ ${1} ${b c} $").unwrap(),
            "x ${B} by $B ${ ${1} ${b c} $"
        );
        assert_eq!(expand("${NONE:-d:-e}${EMPTY:-f}${NONE:-}").unwrap(), "d:-ef");
        assert_eq!(expand("a ${NONE}").unwrap_err(), "the environment variable NONE is not set");
    }
}
