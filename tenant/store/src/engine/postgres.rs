//! Statements on PostgreSQL.
//!
//! A [`Session`] is one connection. It has a runtime of its own, which runs on the thread of the caller, so that a statement
//! costs no change of threads. Statements that return nothing that is needed at once are sent without waiting for their results; the
//! next one that waits receives theirs too. Questions whose answers are needed soon can be sent ahead, all at once. The same
//! question about many things, or the same change of many things, is one statement.
//! Neighbours: [`super`] gives it statements; [`database`] opens sessions and lends them.

pub mod address;
pub(crate) mod database;
pub(crate) mod dialect;
mod failure;
mod node;
mod upgrade;

use super::Column;
use super::parameter::{Parameter, Parameters};
use super::question::Question;
use crate::StoreError;
use crate::error::ServerTrouble;
use bytes::BytesMut;
use failure::{Failure, lost};
use postgres_types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, Runtime, RuntimeFlavor};
use tokio::sync::Notify;
use tokio_postgres::{Client, Row, Statement};

/// The channel of the notices that something has changed which processes keep in memory.
const NOTICES: &str = "landbridge";
/// How long a connection that is asked whether it works may take to answer.
const PROBE: Duration = Duration::from_secs(1);
/// Rows that a cursor returns at a time.
const FETCHED: u32 = 1000;
/// Limit on statements that were sent and whose results were not received.
const MOST_UNDER_WAY: usize = 256;
/// A statement that is to be sent with this many values or more is sent once, with all of them. For fewer it is not worth
/// preparing another one.
const MANY: usize = 8;
/// Changes of this many things are sent before those of the next ones are gathered.
const TOGETHER: usize = 128;
/// Limit on the values that are gathered.
const MOST_GATHERED: usize = 100_000;

/// A connection to the server.
pub(crate) struct Session {
    /// None: it is being dropped.
    runtime: Option<Runtime>,
    client: Arc<Client>,
    /// Another process has changed what is kept in memory.
    noticed: Arc<Notify>,
    statements: RefCell<HashMap<String, Prepared>>,
    /// For the number of a statement, the one that does the same with many values at once. None: there is none.
    of_many: RefCell<HashMap<usize, Option<Statement>>>,
    under_way: RefCell<Vec<UnderWay>>,
    /// Questions that are asked ahead, until they are asked again or something is written.
    ahead: RefCell<Vec<Ahead>>,
    /// Statements that are to be sent before the next request.
    gathered: RefCell<Gathered>,
    /// Whether a question is being sent ahead.
    asking: Cell<Asking>,
    /// How long the present transaction waits for a result.
    limit: Cell<Duration>,
    /// It is not used again.
    broken: Cell<bool>,
    /// When it last answered.
    answered_at: Cell<Instant>,
    /// The present transaction has settings for statements of many values.
    plans_for_many: Cell<bool>,
    /// The number of the last cursor.
    cursors: Cell<u64>,
    /// A transaction is open.
    in_transaction: Cell<bool>,
    /// The server as errors name it.
    server: Arc<str>,
    /// The waits for results, of all sessions of the database.
    waits: Arc<AtomicU64>,
}

/// A statement that was sent, until its result is received.
type UnderWay = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send>>;

/// A statement that the server has prepared.
#[derive(Clone)]
pub(crate) struct Prepared {
    /// Its number in this session.
    number: usize,
    /// It changes nothing.
    reads: bool,
    sql: Arc<str>,
    statement: Statement,
}

/// Whether a question is being sent ahead.
#[derive(Clone, Copy, PartialEq)]
enum Asking {
    /// No: what is asked is waited for.
    No,
    /// Yes. Its first statement is sent, and ends it.
    Ahead,
    /// It was sent.
    Sent,
}

/// A question that is asked ahead.
struct Ahead {
    /// The number of its statement.
    statement: usize,
    values: Vec<Owned>,
    /// None: they are not received yet.
    rows: Received,
}

/// The rows of a question that is asked ahead, once they are received.
type Received = Arc<Mutex<Option<Vec<Row>>>>;

/// The values of a question, and the place of its answer.
type Asked = (Vec<Owned>, Received);

/// Statements that are to be sent: the same statement with different values becomes one that has all of them.
#[derive(Default)]
struct Gathered {
    /// Questions that are asked ahead.
    questions: Vec<(Prepared, Vec<Asked>)>,
    /// Changes, in the order in which they are sent. There are none while there are questions.
    changes: Vec<(Prepared, Vec<Vec<Owned>>)>,
    /// While changes of several things are gathered: where the next one of the present thing may be put, at the earliest.
    earliest: Option<usize>,
    /// Number of all values.
    values: usize,
}

/// The value of a parameter, which outlives the call that gave it.
#[derive(Clone, PartialEq)]
enum Owned {
    Null,
    Integer(i64),
    Text(String),
    Octets(Vec<u8>),
}

impl Session {
    /// Sends a command that has no parameters and whose result is not needed now.
    fn send_command(&self, sql: String) -> Result<(), StoreError> {
        self.writes()?;
        let client = self.client.clone();
        self.send(async move { client.batch_execute(&sql).await })
    }

    /// Runs commands that have no parameters, and waits for them.
    pub(crate) fn run_commands(&self, sql: &str) -> Result<(), StoreError> {
        self.send_command(dialect::translated(sql))?;
        self.settle()
    }

    /// A statement, prepared at its first use.
    pub(super) fn prepared(&self, sql: &str) -> Result<Prepared, StoreError> {
        if let Some(statement) = self.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let text: Arc<str> = dialect::translated(sql).into();
        let statement = self.prepare(text.clone())?;
        let mut statements = self.statements.borrow_mut();
        let reads = ["SELECT", "WITH"].iter().any(|word| sql.starts_with(word));
        let prepared = Prepared { number: statements.len(), reads, sql: text, statement };
        statements.insert(sql.to_owned(), prepared.clone());
        Ok(prepared)
    }

    fn prepare(&self, sql: Arc<str>) -> Result<Statement, StoreError> {
        let client = self.client.clone();
        self.wait(async move { client.prepare(&sql).await })
    }

    /// The statement that does the same with many values at once, prepared at its first use. None: there is none.
    fn prepared_of_many(&self, of: &Prepared) -> Result<Option<Statement>, StoreError> {
        if let Some(statement) = self.of_many.borrow().get(&of.number) {
            return Ok(statement.clone());
        }
        let sql = dialect::of_many(&of.sql, of.statement.params());
        let statement = sql.map(|sql| self.prepare(sql.into())).transpose()?;
        self.of_many.borrow_mut().insert(of.number, statement.clone());
        Ok(statement)
    }

    /// Runs a statement. Returns the number of rows that it changed.
    pub(super) fn execute(
        &self,
        Prepared { statement, .. }: &Prepared,
        parameters: &impl Parameters,
    ) -> Result<usize, StoreError> {
        self.writes()?;
        let values = owned(parameters)?;
        let (client, statement) = (self.client.clone(), statement.clone());
        let changed =
            self.wait(async move { client.execute_raw(&statement, values.iter().map(as_sql)).await })?;
        usize::try_from(changed).map_err(|_| StoreError::Defect("a count is too large".to_owned()))
    }

    /// Sends a statement whose result is not needed now.
    pub(super) fn send_statement(
        &self,
        prepared: &Prepared,
        parameters: &impl Parameters,
    ) -> Result<(), StoreError> {
        self.writes()?;
        let values = owned(parameters)?;
        if self.gathered.borrow().is_full() {
            self.send_gathered()?;
        }
        let left = self.gathered.borrow_mut().take_change(prepared, values);
        match left {
            None => Ok(()),
            Some(values) => self.send(changing(self.client.clone(), prepared.statement.clone(), values)),
        }
    }

    /// The rows that a statement returns.
    pub(super) fn query(
        &self,
        prepared: &Prepared,
        parameters: &impl Parameters,
    ) -> Result<Vec<Row>, StoreError> {
        if !prepared.reads {
            self.writes()?;
        }
        let values = owned(parameters)?;
        if self.asking.get() == Asking::Ahead {
            return self.send_ahead(prepared, values);
        }
        if let Some(rows) = self.answered_ahead(prepared, &values)? {
            return Ok(rows);
        }
        self.wait(queried(self.client.clone(), prepared.statement.clone(), values))
    }

    /// Sends what these questions ask first, without waiting. When one is asked again in the same transaction, and nothing
    /// was written in between, its answer is there or on its way. A question may ask others ahead in turn.
    pub(super) fn ask_ahead(&self, questions: &[Question<'_>]) -> Result<(), StoreError> {
        let is_of_question = self.asking.get() == Asking::Ahead;
        for question in questions {
            self.asking.set(Asking::Ahead);
            let outcome = question();
            // One that was sent has no answer yet, so it ended in an error.
            if self.asking.replace(Asking::No) != Asking::Sent {
                outcome?;
            }
        }
        if is_of_question {
            self.asking.set(Asking::Sent);
            return Err(unanswered());
        }
        Ok(())
    }

    fn send_ahead(&self, prepared: &Prepared, values: Vec<Owned>) -> Result<Vec<Row>, StoreError> {
        let is_it = |one: &Ahead| one.statement == prepared.number && one.values == values;
        if !self.ahead.borrow().iter().any(is_it) {
            if !self.gathered.borrow().takes_questions() {
                self.send_gathered()?;
            }
            let rows = Received::default();
            self.gathered.borrow_mut().take_question(prepared, (values.clone(), rows.clone()));
            self.ahead.borrow_mut().push(Ahead { statement: prepared.number, values, rows });
        }
        self.asking.set(Asking::Sent);
        Err(unanswered())
    }

    /// Changes several things. What changes one of them changes no other one, so a statement that is sent for several of them
    /// is sent once, with the values of all; the order in which the changes of one thing are sent is kept.
    pub(super) fn change_each<T>(
        &self,
        things: impl IntoIterator<Item = T>,
        mut change: impl FnMut(T) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let outcome = things.into_iter().enumerate().try_for_each(|(number, thing)| {
            if number > 0 && number % TOGETHER == 0 {
                self.send_gathered()?;
                self.hand_over();
            }
            self.gathered.borrow_mut().earliest = Some(0);
            change(thing)
        });
        self.gathered.borrow_mut().earliest = None;
        outcome?;
        self.send_gathered()?;
        self.hand_over();
        Ok(())
    }

    /// Lets the task of the connection write what was sent, so that the server works while this thread does.
    fn hand_over(&self) {
        self.block_on(tokio::task::yield_now());
    }

    /// Sends what is gathered.
    fn send_gathered(&self) -> Result<(), StoreError> {
        let (questions, changes) = {
            let mut gathered = self.gathered.borrow_mut();
            gathered.values = 0;
            gathered.earliest = gathered.earliest.map(|_| 0);
            (std::mem::take(&mut gathered.questions), std::mem::take(&mut gathered.changes))
        };
        for (prepared, all) in questions {
            let many = if all.len() < MANY { None } else { self.prepared_of_many(&prepared)? };
            match many {
                Some(statement) => {
                    self.plan_for_many()?;
                    let (values, received): (Vec<_>, Vec<_>) = all.into_iter().unzip();
                    self.send_now(queried_many(self.client.clone(), statement, values, received))?;
                }
                None => {
                    for (values, received) in all {
                        let querying = queried(self.client.clone(), prepared.statement.clone(), values);
                        self.send_now(async move { querying.await.map(|rows| receive(&received, rows)) })?;
                    }
                }
            }
        }
        for (prepared, all) in changes {
            let many = if all.len() < MANY { None } else { self.prepared_of_many(&prepared)? };
            match many {
                Some(statement) => {
                    self.plan_for_many()?;
                    let client = self.client.clone();
                    self.send_now(async move {
                        let lists = lists(all);
                        let lists = lists.iter().map(|list| list as &(dyn ToSql + Sync));
                        client.execute_raw(&statement, lists).await.map(drop)
                    })?;
                }
                None => {
                    for values in all {
                        let changing = changing(self.client.clone(), prepared.statement.clone(), values);
                        self.send_now(changing)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// In the rest of the transaction statements are planned once, and no table is read as a whole to be compared with a list
    /// of values. The server believes that to be faster while it has no statistics, and it would conflict with all others
    /// who write to the table.
    fn plan_for_many(&self) -> Result<(), StoreError> {
        if self.plans_for_many.replace(true) {
            return Ok(());
        }
        let client = self.client.clone();
        let sql = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; \
                   SET LOCAL plan_cache_mode = force_generic_plan";
        self.send_now(async move { client.batch_execute(sql).await })
    }

    /// The rows of a question that was sent ahead; none: it was not.
    fn answered_ahead(&self, prepared: &Prepared, values: &[Owned]) -> Result<Option<Vec<Row>>, StoreError> {
        let mut ahead = self.ahead.borrow_mut();
        let place = ahead.iter().position(|one| one.statement == prepared.number && one.values == values);
        let Some(place) = place else { return Ok(None) };
        let Ahead { rows, .. } = ahead.swap_remove(place);
        let received = || rows.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(rows) = received() {
            return Ok(Some(rows));
        }
        drop(ahead);
        self.settle()?;
        Ok(received())
    }

    /// A statement may write: what was read ahead may be another by now.
    fn writes(&self) -> Result<(), StoreError> {
        if self.asking.get() == Asking::Ahead {
            return Err(StoreError::Defect("a question that is sent ahead writes".to_owned()));
        }
        self.ahead.borrow_mut().clear();
        self.gathered.borrow_mut().questions.clear();
        Ok(())
    }

    /// Opens a cursor over the rows of a statement without parameters. Returns its name.
    pub(super) fn open_cursor(&self, sql: &str) -> Result<String, StoreError> {
        let number = self.cursors.get().wrapping_add(1);
        self.cursors.set(number);
        let name = format!("rows_{number}");
        self.send_command(format!("DECLARE {name} NO SCROLL CURSOR FOR {}", dialect::translated(sql)))?;
        Ok(name)
    }

    /// The next rows of a cursor; none: there are no further ones.
    pub(super) fn fetch(&self, cursor: &str) -> Result<Vec<Row>, StoreError> {
        let (client, sql) = (self.client.clone(), format!("FETCH {FETCHED} FROM {cursor}"));
        self.wait(async move { client.query_typed(&sql, &[]).await })
    }

    /// Closes a cursor.
    pub(super) fn close_cursor(&self, cursor: &str) -> Result<(), StoreError> {
        self.send_command(format!("CLOSE {cursor}"))
    }

    /// Begins a transaction. The command is sent with the first statement.
    fn begin(&self, command: &str, limit: Duration) -> Result<(), StoreError> {
        self.limit.set(limit);
        self.in_transaction.set(true);
        self.plans_for_many.set(false);
        self.send_command(format!("{command}; SET LOCAL statement_timeout = {}", limit.as_millis()))
    }

    /// Commits. If the connection is lost meanwhile, it is not known whether the transaction was committed.
    fn commit(&self) -> Result<(), StoreError> {
        self.in_transaction.set(false);
        // After an error of a statement that was sent before, the server undoes the transaction at this COMMIT, and that error
        // is the first.
        self.send_command("COMMIT".to_owned())?;
        self.settle().map_err(|error| {
            if let StoreError::Server { server, trouble: ServerTrouble::Lost | ServerTrouble::Slow } = error {
                StoreError::Server { server, trouble: ServerTrouble::Unknown }
            } else {
                error
            }
        })
    }

    /// Ends a transaction that is not to be committed. The server ends it at once; its answer is received later.
    fn roll_back(&self) {
        self.in_transaction.set(false);
        self.gathered.take();
        self.under_way.take();
        if self.broken.get() || self.send_command("ROLLBACK".to_owned()).is_err() {
            self.broken.set(true);
            return;
        }
        self.hand_over();
    }

    /// Notifies the processes that serve, once the transaction is committed.
    pub(super) fn notify(&self) -> Result<(), StoreError> {
        self.send_command(format!("NOTIFY {NOTICES}"))
    }

    /// Waits for the notice of another process, for at most this long.
    fn wait_for_notice(&self, limit: Duration) {
        let noticed = self.noticed.clone();
        drop(self.block_on(async move { tokio::time::timeout(limit, noticed.notified()).await }));
    }

    /// Whether the connection is open, as far as this machine knows.
    fn is_open(&self) -> bool {
        // The runtime receives what has arrived, and the task of the connection reads it.
        self.block_on(async {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        });
        self.broken.set(self.broken.get() || self.client.is_closed());
        !self.broken.get()
    }

    /// Whether the server answers.
    fn answers(&self) -> bool {
        self.limit.set(PROBE);
        let answers = self.send_command(String::new()).and_then(|()| self.settle()).is_ok();
        self.broken.set(self.broken.get() || !answers);
        answers
    }

    /// Sends a request behind what is gathered. Its result is received by the next call that waits.
    fn send(
        &self,
        request: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
    ) -> Result<(), StoreError> {
        self.send_gathered()?;
        self.send_now(request)
    }

    fn send_now(
        &self,
        request: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
    ) -> Result<(), StoreError> {
        let mut request: UnderWay = Box::pin(request);
        // The first call of a request writes it into the queue of the connection. Requests are answered in that order.
        match request.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => self.under_way.borrow_mut().push(request),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Err(self.failed(&Failure::of(&error))),
        }
        let full = self.under_way.borrow().len() >= MOST_UNDER_WAY;
        if full { self.settle() } else { Ok(()) }
    }

    /// Receives the results of all that was sent. Returns the first error.
    fn settle(&self) -> Result<(), StoreError> {
        self.wait(async { Ok(()) })
    }

    /// Sends a request, and waits for its result after those of the requests before it.
    fn wait<T: Send>(
        &self,
        request: impl Future<Output = Result<T, tokio_postgres::Error>> + Send,
    ) -> Result<T, StoreError> {
        if self.broken.get() {
            return Err(self.failed(&lost()));
        }
        self.send_gathered()?;
        self.waits.fetch_add(1, Ordering::Relaxed);
        let before = self.under_way.take();
        let limit = self.limit.get();
        let all = async move {
            let mut request = std::pin::pin!(request);
            // It is sent before the results of the others are awaited.
            let early = match request.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(done) => Some(done),
                Poll::Pending => None,
            };
            for earlier in before {
                earlier.await?;
            }
            match early {
                Some(done) => done,
                None => request.await,
            }
        };
        let timed = async move { tokio::time::timeout(limit, all).await };
        match self.block_on(timed) {
            Ok(Ok(answer)) => {
                self.answered_at.set(Instant::now());
                Ok(answer)
            }
            Ok(Err(error)) => Err(self.failed(&Failure::of(&error))),
            // A statement may still run there. It ends with the connection.
            Err(_) => {
                self.broken.set(true);
                Err(self.failed(&Failure::Server(ServerTrouble::Slow)))
            }
        }
    }

    /// Runs a future on the thread of the caller, wherever that is.
    fn block_on<F: Future + Send>(&self, future: F) -> F::Output
    where
        F::Output: Send,
    {
        // The runtime is missing only while the session is dropped, and then nothing is run.
        #[allow(clippy::unwrap_used, reason = "taken by Drop alone")]
        block_on(self.runtime.as_ref().unwrap(), future)
    }

    fn failed(&self, failure: &Failure) -> StoreError {
        if failure.ends_session() {
            self.broken.set(true);
        }
        failure.error(&self.server)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Dropping a runtime inside another one is a panic.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs a future on the thread of the caller, wherever that is.
fn block_on<F: Future + Send>(runtime: &Runtime, future: F) -> F::Output
where
    F::Output: Send,
{
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Err(_) => runtime.block_on(future),
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(|| runtime.block_on(future)),
        // A runtime on one thread cannot hand its other tasks on: its thread waits here, as it does for SQLite.
        Ok(_) => std::thread::scope(|threads| {
            let thread = threads.spawn(|| runtime.block_on(future));
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        }),
    }
}

/// What ends a question that was sent ahead.
fn unanswered() -> StoreError {
    StoreError::Defect("a question that was sent ahead has no answer yet".to_owned())
}

impl Gathered {
    fn is_full(&self) -> bool {
        self.values >= MOST_GATHERED
    }

    /// Whether a question that is taken now is asked before all changes that are made after it, and no others.
    fn takes_questions(&self) -> bool {
        self.changes.is_empty() && !self.is_full()
    }

    fn take_question(&mut self, of: &Prepared, question: Asked) {
        self.values += question.0.len();
        match self.questions.iter_mut().find(|(prepared, _)| prepared.number == of.number) {
            Some((_, all)) => all.push(question),
            None => self.questions.push((of.clone(), vec![question])),
        }
    }

    /// Takes a change of one of several things. Returns its values if no such changes are gathered.
    fn take_change(&mut self, of: &Prepared, values: Vec<Owned>) -> Option<Vec<Owned>> {
        let Some(earliest) = self.earliest else { return Some(values) };
        self.values += values.len();
        let mut from = self.changes.iter().enumerate().skip(earliest);
        let place = match from.find(|(_, (prepared, _))| prepared.number == of.number) {
            Some((place, _)) => place,
            None => {
                self.changes.push((of.clone(), Vec::new()));
                self.changes.len() - 1
            }
        };
        if let Some((_, all)) = self.changes.get_mut(place) {
            all.push(values);
        }
        self.earliest = Some(place);
        None
    }
}

/// The values of each parameter, `$1` first.
fn lists(all: Vec<Vec<Owned>>) -> Vec<Vec<Owned>> {
    let mut lists = Vec::new();
    for values in all {
        lists.resize_with(values.len(), Vec::new);
        lists.iter_mut().zip(values).for_each(|(list, value): (&mut Vec<_>, _)| list.push(value));
    }
    lists
}

/// Stores the rows of a question that was asked ahead.
fn receive(received: &Received, rows: Vec<Row>) {
    *received.lock().unwrap_or_else(PoisonError::into_inner) = Some(rows);
}

/// The rows that a statement returns for each of many values. The last column is the number of these, from 1.
async fn queried_many(
    client: Arc<Client>,
    statement: Statement,
    values: Vec<Vec<Owned>>,
    received: Vec<Received>,
) -> Result<(), tokio_postgres::Error> {
    let lists = lists(values);
    let lists: Vec<&(dyn ToSql + Sync)> = lists.iter().map(|list| list as _).collect();
    let mut answers: Vec<Vec<Row>> = received.iter().map(|_| Vec::new()).collect();
    for row in client.query(&statement, &lists).await? {
        let number: i64 = row.try_get(row.len().saturating_sub(1))?;
        let place = usize::try_from(number).unwrap_or_default().wrapping_sub(1);
        if let Some(answer) = answers.get_mut(place) {
            answer.push(row);
        }
    }
    received.iter().zip(answers).for_each(|(received, answer)| receive(received, answer));
    Ok(())
}

async fn changing(
    client: Arc<Client>,
    statement: Statement,
    values: Vec<Owned>,
) -> Result<(), tokio_postgres::Error> {
    client.execute_raw(&statement, values.iter().map(as_sql)).await.map(drop)
}

/// The rows that a statement returns.
async fn queried(
    client: Arc<Client>,
    statement: Statement,
    values: Vec<Owned>,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
    client.query(&statement, &values).await
}

fn as_sql(value: &Owned) -> &(dyn ToSql + Sync) {
    value
}

fn owned(parameters: &impl Parameters) -> Result<Vec<Owned>, StoreError> {
    let (mut values, mut too_large) = (Vec::new(), false);
    parameters.each(&mut |value| {
        values.push(match value {
            Parameter::Null => Owned::Null,
            Parameter::Integer(number) => Owned::Integer(number),
            Parameter::Text(text) => Owned::Text(dialect::storable(text)),
            Parameter::Octets(octets) => Owned::Octets(octets.to_owned()),
            Parameter::TooLarge => {
                too_large = true;
                Owned::Null
            }
        });
    });
    if too_large {
        Err(StoreError::Defect("a number is too large for a column".to_owned()))
    } else {
        Ok(values)
    }
}

/// The library writes the parameters of each statement into its log, at the level debug: this shows no value.
impl std::fmt::Debug for Owned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Integer(_) => "an integer",
            Self::Text(_) => "a text",
            Self::Octets(_) => "octets",
        })
    }
}

impl ToSql for Owned {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self, of) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Integer(number), &Type::INT8) => number.to_sql(of, out),
            (Self::Integer(number), &Type::INT4) => i32::try_from(*number)?.to_sql(of, out),
            (Self::Integer(number), &Type::BOOL) => (*number != 0).to_sql(of, out),
            (Self::Text(text), &Type::TEXT | &Type::VARCHAR) => text.to_sql(of, out),
            (Self::Octets(octets), &Type::BYTEA) => octets.to_sql(of, out),
            (Self::Integer(_) | Self::Text(_) | Self::Octets(_), of) => {
                Err(format!("a parameter is of another type than {of}").into())
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// The value of a column.
pub(super) fn column(row: &Row, column: usize) -> Result<Column<'_>, StoreError> {
    let value: Result<Value<'_>, _> = row.try_get(column);
    value.map(|value| value.0).map_err(|_| StoreError::Foreign { what: "column" })
}

struct Value<'r>(Column<'r>);

impl<'r> FromSql<'r> for Value<'r> {
    fn from_sql(of: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(match *of {
            Type::INT8 => Column::Integer(i64::from_sql(of, raw)?),
            Type::INT4 => Column::Integer(i32::from_sql(of, raw)?.into()),
            Type::BOOL => Column::Integer(bool::from_sql(of, raw)?.into()),
            Type::TEXT | Type::VARCHAR | Type::NAME | Type::UNKNOWN => {
                Column::Text(std::str::from_utf8(raw)?)
            }
            Type::BYTEA => Column::Octets(raw),
            _ => return Err(format!("a column of type {of}").into()),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Column::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Owned;

    #[test]
    fn no_value_is_in_what_the_library_logs() {
        let values = [
            Owned::Text("alice".to_owned()),
            Owned::Octets(b"digest".to_vec()),
            Owned::Integer(815),
            Owned::Null,
        ];
        assert_eq!(format!("{values:?}"), "[a text, octets, an integer, null]");
    }
}
