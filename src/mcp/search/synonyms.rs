//! English words of tools that stand for one another, abbreviations, and words that say nothing.
//!
//! The lists are general: the verbs that interfaces are made of and the nouns of files, code, the
//! web, talk and trade. No product has an entry of its own.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::stem::stem;

/// Each line is one meaning. A word may have several.
const GROUPS: &[&str] = &[
    // Verbs.
    "create make new add put generate build propose suggest",
    "create schedule nightly daily plan cron recurring",
    "create register establish setup provision initialize",
    "create write draft compose author",
    "create open start begin launch initiate raise file report",
    "delete remove rm drop erase destroy purge discard trash unlink getrid throwaway takeaway",
    "delete clear wipe reset empty clean cleanup forget",
    "list enumerate ls show all every browse overview display view",
    "list get retrieve fetch",
    "get fetch read retrieve load obtain grab show view see display lookup find",
    "get return give tell check inspect details info information describe findout",
    "update edit modify change set alter revise adjust patch amend replace rewrite bump fix correct",
    "update rename relabel",
    "update refresh renew upgrade sync uptodate",
    "search find query ask lookup lookfor seek locate discover look hunt grep",
    "search match filter",
    "run execute invoke perform trigger call evaluate eval kickoff",
    "run start launch boot spawn spinup turnon",
    "stop kill terminate abort cancel halt end quit interrupt shutdown turnoff",
    "kill kick kickout throwout disconnect",
    "accept dismiss ok okay confirm",
    "close shut dismiss finish resolve complete end",
    "send post publish submit share deliver tell notify announce",
    "reply respond answer response",
    "copy duplicate clone fork",
    "move relocate transfer rename mv",
    "merge combine join integrate land",
    "approve accept confirm allow grant",
    "reject deny refuse decline disapprove revoke unapprove withdraw retract takeback",
    "compare diff difference changes delta",
    "upload attach put push import",
    "download export save pull fetch",
    "save store write persist record keep remember writedown",
    "click press tap push",
    "type enter fill input key",
    "fill complete populate",
    "choose select pick option dropdown",
    "scroll swipe wheel",
    "drag drop move",
    "hover mouse pointer cursor over",
    "navigate go visit open load browse",
    "back previous return earlier",
    "forward next later",
    "wait pause sleep delay until appear",
    "undo revert rollback rollout restore reset",
    "connect link attach associate relate join",
    "disconnect unlink detach",
    "stage add index",
    "unstage reset",
    "switch checkout change context select",
    "convert transform translate change",
    "extract parse pull scrape",
    "scrape crawl spider harvest",
    "crawl whole entire everything everypage allpages",
    "summarize summary digest overview status stats report",
    "analyze analysis diagnose examine investigate audit insight assess",
    "count number total amount howmany",
    "scale resize size",
    "resize size dimensions width height viewport",
    "emulate simulate throttle mimic pretend",
    "verify assert check validate ensure test",
    "monitor watch track observe notify alert changes tellwhen tellme tellmewhen letmeknow follow",
    "retry rerun again restart redo repeat",
    "rerun restart reboot",
    "assign give delegate allocate",
    "invite add member",
    "subscribe follow watch",
    "lock freeze protect",
    "think reason reflect plan",
    "search memory remember know recall",
    "add memory remember note learn memorize",
    "archive hide retire",
    "capture screenshot snapshot record photo picture image shot",
    // Nouns.
    "repository repo project codebase",
    "pull merge",
    "directory folder dir path",
    "file document doc disk filesystem",
    "document page note article",
    "page website site webpage web url tab",
    "url link address href uri",
    "issue bug ticket defect problem",
    "task todo item job",
    "comment note remark reply review discussion feedback said wrote",
    "thread discussion conversation topic",
    "history past yesterday earlier recent before",
    "message chat dm text said talk talking wrote conversation",
    "channel chat talk conversation discuss",
    "message comment note say tell post",
    "channel room",
    "user person people member account profile who someone somebody folks author colleague teammate owner",
    "customer client buyer",
    "customer user account",
    "emoji reaction react thumbs",
    "branch ref",
    "branch main master",
    "unstaged uncommitted notyet",
    "commit revision change changeset",
    "history log changelog timeline past",
    "log logs output trace journal print",
    "log console",
    "error exception failure crash fault fail break broken problem",
    "status state condition health progress finished done green red",
    "pipeline build ci workflow check",
    "job build run",
    "release version tag",
    "tag label category",
    "milestone goal deadline",
    "wiki documentation docs manual guide help reference",
    "documentation docs library api",
    "database db table sql schema data postgres pg",
    "table schema column",
    "query sql select statement",
    "row record entry",
    "property field attribute column",
    "container pod docker",
    "kubernetes cluster kubectl pod",
    "deployment deploy rollout release ship",
    "node machine server host",
    "graph knowledge know memory relation",
    "entity node object thing concept person people",
    "relation friend married works knows between related",
    "observation fact memory",
    "price cost amount rate fee",
    "money balance funds cash",
    "payment charge pay paid purchase order transaction",
    "refund reimburse moneyback giveback",
    "invoice bill billing receipt charge",
    "subscription plan recurring membership monthly month yearly billing",
    "coupon discount promo voucher percent off sale rebate",
    "dispute chargeback",
    "product item goods",
    "time clock date hour now when today moment pm",
    "timezone zone tz",
    "place location venue spot restaurant shop business hotel cafe hours opening store",
    "local nearby near around",
    "address street location place",
    "coordinate latitude longitude geocode position location",
    "directions route way path drive walk trip journey navigation howdoiget getto getfrom travel",
    "directions station airport hotel",
    "distance far length travel miles kilometers",
    "elevation altitude height high",
    "internet web online",
    "news article",
    "paper article publication literature study research",
    "scientific academic research science",
    "application app",
    "authentication auth login signin",
    "login whoami current self",
    "organization org company",
    "statistic stats metric",
    "administrator admin",
    "reference ref",
    "element button link selector widget",
    "visible appear shown",
    "input field textbox box",
    "restore backup dump copy save",
    "replica copies instance scale",
    "email mail",
    "event calendar appointment meeting",
    "spreadsheet table sheet",
    "visit travel",
    "cheap underused idle wasteful oversized large",
    "security vulnerability safe",
    "enable on activate",
    "disable off deactivate",
    "allow permit permitted allowed",
    "conflict collision clash",
    "owner ownership own",
    "member belong participant",
    "cookie session storage",
    "dialog popup alert prompt modal",
    "keyboard key press shortcut",
    "network http traffic request requests",
    "javascript js script code",
    "code snippet source function",
    "performance speed slow fast profile trace",
    "memory heap leak",
    "device phone mobile",
    "image picture photo media",
    "video film recording media",
    "pdf print",
    "environment env variable",
    "environment deploy production target",
    "variable parameter setting value",
    "configuration config setting preference option",
    "permission access right allowed role",
    "secret token credential password",
    "template blueprint pattern",
    "chart helm",
    "test spec case",
    "flaky unstable unreliable intermittent sometimes random",
    "agent bot assistant me myself",
    "workspace team organization org",
    "group team namespace",
    "content text body contents",
    "block paragraph section",
    "parent ancestor",
    "children child sub nested",
    "tree hierarchy structure recursive",
    "size bytes large big space",
    "resource machine compute cpu hardware",
    "underused idle big large oversized",
    "metadata info details properties stat",
    "recent latest last newest",
    "multiple several many batch bulk",
    "sum add plus total",
    "echo repeat say",
];

/// Abbreviations and what they stand for.
const SPELLED_OUT: &[(&str, &[&str])] = &[
    ("pr", &["pull", "request"]),
    ("mr", &["merge", "request"]),
    ("repo", &["repository"]),
    ("db", &["database"]),
    ("k8s", &["kubernetes"]),
    ("dir", &["directory"]),
    ("folder", &["directory"]),
    ("msg", &["message"]),
    ("img", &["image"]),
    ("doc", &["document"]),
    ("env", &["environment"]),
    ("config", &["configuration"]),
    ("org", &["organization"]),
    ("ci", &["pipeline"]),
    ("js", &["javascript"]),
    ("dm", &["message"]),
    ("webpage", &["page"]),
    ("website", &["page", "web"]),
];

/// Words of a sentence that do not say which tool is meant.
const STOP_WORDS: &str = "a an the this that these those it its of to for in on at with and or by \
    from into onto as is are was were be been being am do does did done has have had will would \
    shall should can could may might must please i me my mine we us our you your he she his her \
    they them their there here what which whose how why if then than so but not no just only also \
    some any each such very really about want wants need needs like let lets via per using use \
    used too yet still whether up out off";

/// The first words of questions.
const QUESTION_WORDS: [&str; 20] = [
    "what", "whats", "which", "who", "whose", "when", "where", "how", "why", "is", "are", "was",
    "were", "do", "does", "did", "has", "have", "any", "am",
];

static MEANINGS: LazyLock<HashMap<String, Vec<String>>> = LazyLock::new(|| {
    let mut meanings: HashMap<String, Vec<String>> = HashMap::new();
    for group in GROUPS {
        let words: Vec<String> = group.split(' ').map(stem).collect();
        for word in &words {
            let others = meanings.entry(word.clone()).or_default();
            for other in &words {
                if other != word && !others.contains(other) {
                    others.push(other.clone());
                }
            }
        }
    }
    meanings
});

static SILENT: LazyLock<std::collections::HashSet<&str>> =
    LazyLock::new(|| STOP_WORDS.split_whitespace().collect());

/// The stems that mean the same as this stem.
pub fn of(stemmed: &str) -> impl Iterator<Item = &'static str> {
    MEANINGS.get(stemmed).into_iter().flatten().map(String::as_str)
}

/// The words that this stem abbreviates.
pub fn spelled_out(stemmed: &str) -> &'static [&'static str] {
    let entry = SPELLED_OUT.iter().find(|(short, _)| *short == stemmed);
    entry.map_or(&[], |(_, words)| words)
}

/// What somebody wants who only asks: `which`, `who`, `is there`.
pub const LOOKING: [&str; 5] = ["list", "get", "show", "read", "search"];

/// Whether a text that begins with this lower-case word is a question.
pub fn is_question_word(word: &str) -> bool {
    QUESTION_WORDS.contains(&word)
}

/// Whether a lower-case word says nothing of which tool is meant.
pub fn is_stop_word(word: &str) -> bool {
    SILENT.contains(word)
}
