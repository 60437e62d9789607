//! What the jobs count.
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// Labels by job.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Job {
    /// `land`, `derive`, `compact`, `expire`, `scrub`.
    pub job: &'static str,
}

/// What the jobs count. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    pub commits: Counter,
    pub rows: Counter,
    pub files: Counter,
    pub commit_seconds: Histogram,
    pub failures: Family<Job, Counter>,
    pub runs: Family<Job, Counter>,
    pub last_commit_at: Gauge,
    pub orphans: Counter,
    pub missing: Gauge,
    pub damaged: Gauge,
}

impl Metrics {
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            commits: Counter::default(),
            rows: Counter::default(),
            files: Counter::default(),
            commit_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 18)),
            failures: Family::default(),
            runs: Family::default(),
            last_commit_at: Gauge::default(),
            orphans: Counter::default(),
            missing: Gauge::default(),
            damaged: Gauge::default(),
        };
        registry.register("chatmai_land_commits", "Commits of land", metrics.commits.clone());
        registry.register("chatmai_land_rows", "Rows that land committed", metrics.rows.clone());
        registry.register("chatmai_land_files", "Files that land committed", metrics.files.clone());
        registry.register("chatmai_land_seconds", "Read to commit of one batch", metrics.commit_seconds.clone());
        registry.register("chatmai_job_failures", "Runs of a job that failed", metrics.failures.clone());
        registry.register("chatmai_job_runs", "Runs of a job", metrics.runs.clone());
        registry.register(
            "chatmai_land_last_commit_timestamp_seconds",
            "When land last committed",
            metrics.last_commit_at.clone(),
        );
        registry.register(
            "chatmai_scrub_orphans",
            "Objects removed that no catalog row named",
            metrics.orphans.clone(),
        );
        registry.register(
            "chatmai_scrub_damaged",
            "Live files whose object is not what was written",
            metrics.damaged.clone(),
        );
        registry.register("chatmai_scrub_missing", "Live files whose object is missing", metrics.missing.clone());
        metrics
    }
}
