//! Every page and action in a real browser; `tests/browser/README.md` says which test does what.

mod support {
    pub mod browser;
    pub mod serve;
}

mod browser {
    mod chrome;
    mod services;
    mod status;
    mod playground;
    mod scenarios;
    mod trace;
    mod traces;
}
