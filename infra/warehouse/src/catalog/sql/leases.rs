//! Leases of jobs.
use super::{
    database::{Database, Write},
    rows::{signed, small},
};
use crate::catalog::{CatalogError, Lease};
use schemas::time::Millis;

/// Takes or renews a lease. A renewal keeps the number, so that what its holder is in the middle of stays valid.
pub(super) async fn take(
    database: &Database,
    job: &str,
    holder: &str,
    now: Millis,
    until: Millis,
) -> Result<Option<Lease>, CatalogError> {
    let mut write = database.begin().await?;
    let taken = sqlx::query(
        "INSERT INTO leases (job, number, holder, until_at) VALUES ($1, 1, $2, $4)
         ON CONFLICT (job) DO UPDATE SET
            number = CASE WHEN leases.holder = excluded.holder THEN leases.number ELSE leases.number + 1 END,
            holder = excluded.holder,
            until_at = excluded.until_at
         WHERE leases.holder = excluded.holder OR leases.until_at <= $3",
    )
    .bind(job)
    .bind(holder)
    .bind(now.0)
    .bind(until.0)
    .execute(&mut *write)
    .await?;
    if taken.rows_affected() != 1 {
        return Ok(None);
    }
    let row = sqlx::query("SELECT number FROM leases WHERE job = $1").bind(job).fetch_one(&mut *write).await?;
    let number = small(&row, 0)?;
    write.commit().await?;
    Ok(Some(Lease { job: job.to_owned(), number }))
}

/// Fails unless the lease is the newest of its job, and keeps it so until the transaction ends. An expired lease that
/// nobody else has taken is still good: numbers fence, clocks do not.
pub(super) async fn hold(write: &mut Write, lease: &Lease) -> Result<(), CatalogError> {
    let held = sqlx::query("UPDATE leases SET number = number WHERE job = $1 AND number = $2")
        .bind(&lease.job)
        .bind(signed(lease.number))
        .execute(&mut **write)
        .await?;
    if held.rows_affected() == 1 { Ok(()) } else { Err(CatalogError::Fenced(format!("job {}", lease.job))) }
}
