//! What employees ask for – a forgotten punch, a wrong one, leave, duty elsewhere – and the answers. An approval makes the
//! entry in the same transaction.

use std::collections::BTreeSet;

use attendance::{AccountId, DayPart, DepartmentId, EmployeeId, PunchId, PunchState};
use jiff::civil::{Date, DateTime};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, Set};
use serde::{Deserialize, Serialize};

use crate::audit::Author;
use crate::calendar::{LeaveKind, NewLeave, part_of, part_text};
use crate::corrections::{Voided, reasoned};
use crate::entities::{department_managers, punches, requests};
use crate::times::{wall, wall_text};
use crate::{Store, StoreError, WriteTx, sql};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Wall time of the site.
    AddPunch {
        at: DateTime,
        state: Option<PunchState>,
    },
    VoidPunch {
        punch: PunchId,
        /// The day of the punch, for whoever decides.
        on: Date,
    },
    Leave {
        kind: LeaveKind,
        from: Date,
        to: Date,
        part: DayPart,
        leave_type: Option<i64>,
    },
}

/// As it is stored.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Body {
    at: Option<String>,
    state: Option<String>,
    punch: Option<i64>,
    part: Option<String>,
    leave_type: Option<i64>,
}

impl Asked {
    fn kind(&self) -> &'static str {
        match self {
            Self::AddPunch { .. } => "add_punch",
            Self::VoidPunch { .. } => "void_punch",
            Self::Leave { kind, .. } => kind.as_str(),
        }
    }

    /// The first and the last day it is about.
    pub fn days(&self) -> (Date, Date) {
        match self {
            Self::AddPunch { at, .. } => (at.date(), at.date()),
            Self::VoidPunch { on, .. } => (*on, *on),
            Self::Leave { from, to, .. } => (*from, *to),
        }
    }

    fn body(&self) -> String {
        let body = match self {
            Self::AddPunch { at, state } => Body {
                at: Some(wall_text(*at)),
                state: state.map(|state| state.as_str().to_owned()),
                ..Body::default()
            },
            Self::VoidPunch { punch, .. } => Body {
                punch: Some(punch.0),
                ..Body::default()
            },
            Self::Leave {
                part, leave_type, ..
            } => Body {
                part: Some(part_text(*part).to_owned()),
                leave_type: *leave_type,
                ..Body::default()
            },
        };
        serde_json::to_string(&body).expect("texts and numbers always serialize")
    }

    /// What a stored request asks for; `None` for one that nobody of ours wrote.
    pub fn of(row: &requests::Model) -> Option<Self> {
        let body: Body = serde_json::from_str(&row.body).ok()?;
        let (from, to) = (
            crate::times::day(&row.from_day),
            crate::times::day(&row.to_day),
        );
        let leave = |kind| Self::Leave {
            kind,
            from,
            to,
            part: part_of(body.part.as_deref().unwrap_or_default()),
            leave_type: body.leave_type,
        };
        Some(match row.kind.as_str() {
            "add_punch" => Self::AddPunch {
                at: wall(body.at.as_deref()?),
                state: body.state.as_deref().and_then(PunchState::from_name),
            },
            "void_punch" => Self::VoidPunch {
                punch: PunchId(body.punch?),
                on: from,
            },
            "leave" => leave(LeaveKind::Leave),
            "on_duty" => leave(LeaveKind::OnDuty),
            _ => return None,
        })
    }
}

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    Approve,
    /// With the reason.
    Reject(&'a str),
    /// By whoever asked.
    Withdraw,
}

impl WriteTx {
    /// # Errors
    /// [`StoreError::Invalid`] without a reason, [`StoreError::Closed`] for days that are closed.
    pub async fn ask(
        &self,
        employee: EmployeeId,
        asked: &Asked,
        reason: &str,
        author: Author,
    ) -> Result<i64, StoreError> {
        let reason = reasoned(reason)?;
        let (from, to) = asked.days();
        if to < from {
            return Err(StoreError::Invalid(format!("{to} is before {from}")));
        }
        self.refuse_closed(&[employee], from, to).await?;
        let code = self.employee_code(employee).await?;
        let row = requests::ActiveModel {
            employee_id: Set(employee.0),
            kind: Set(asked.kind().to_owned()),
            from_day: Set(from.to_string()),
            to_day: Set(to.to_string()),
            body: Set(asked.body()),
            reason: Set(reason.clone()),
            made_by: Set(author.account_id()),
            made_ms: Set(author.at_ms()),
            state: Set("open".to_owned()),
            answer: Set(String::new()),
            ..Default::default()
        };
        let id = requests::Entity::insert(row)
            .exec(&self.tx)
            .await?
            .last_insert_id;
        let detail = serde_json::json!({ "id": id, "kind": asked.kind(), "from": from, "to": to, "reason": reason });
        self.audit(author, "request.make", &code, detail).await?;
        Ok(id)
    }

    /// Answers an open request. An approval enters what was asked for, in the name of whoever approves and with the reason of
    /// whoever asked.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when it is answered already, when somebody approves what they asked for themselves, or for a
    /// rejection without a reason; what the entry itself may be refused for.
    pub async fn answer_request(
        &self,
        id: i64,
        answer: Answer<'_>,
        author: Author,
    ) -> Result<(), StoreError> {
        let row = requests::Entity::find_by_id(id)
            .one(&self.tx)
            .await?
            .ok_or_else(|| StoreError::not_found("request", id))?;
        if row.state != "open" {
            return Err(StoreError::Invalid(format!("it is {} already", row.state)));
        }
        let mine = row.made_by.is_some() && row.made_by == author.account_id();
        let (state, text) = match answer {
            Answer::Approve if mine => {
                return Err(StoreError::Invalid(
                    "somebody else has to approve it".to_owned(),
                ));
            }
            Answer::Approve => ("approved", String::new()),
            Answer::Reject(why) => ("rejected", reasoned(why)?),
            Answer::Withdraw if !mine => {
                return Err(StoreError::Invalid(
                    "only whoever asked can withdraw it".to_owned(),
                ));
            }
            Answer::Withdraw => ("withdrawn", String::new()),
        };
        if answer == Answer::Approve {
            self.enter(&row, author).await?;
        }
        let code = self.employee_code(EmployeeId(row.employee_id)).await?;
        let mut row = row.into_active_model();
        row.state = Set(state.to_owned());
        row.answer = Set(text.clone());
        row.decided_by = Set(author.account_id());
        row.decided_ms = Set(Some(author.at_ms()));
        row.update(&self.tx).await?;
        let detail = serde_json::json!({ "id": id, "answer": text });
        self.audit(author, &format!("request.{state}"), &code, detail)
            .await
    }

    async fn enter(&self, row: &requests::Model, author: Author) -> Result<(), StoreError> {
        let employee = EmployeeId(row.employee_id);
        let asked = Asked::of(row)
            .ok_or_else(|| StoreError::Invalid("it cannot be understood any more".to_owned()))?;
        match asked {
            Asked::AddPunch { at, state } => {
                self.add_punch(employee, at, state, &row.reason, author)
                    .await?;
            }
            Asked::VoidPunch { punch, .. } => {
                let found = punches::Entity::find_by_id(punch.0).one(&self.tx).await?;
                if found.and_then(|punch| punch.employee_id) != Some(row.employee_id) {
                    return Err(StoreError::Invalid(
                        "the punch is not of whoever asked any more".to_owned(),
                    ));
                }
                self.void(Voided::Punch(punch), &row.reason, author).await?;
            }
            Asked::Leave {
                kind,
                from,
                to,
                part,
                leave_type,
            } => {
                let new = NewLeave {
                    employee,
                    kind,
                    from,
                    to,
                    part,
                    leave_type,
                    reason: row.reason.clone(),
                };
                self.add_leave(&new, author).await?;
            }
        }
        Ok(())
    }

    /// Replaces who leads a department.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an account that does not exist.
    pub async fn set_managers(
        &self,
        department: DepartmentId,
        managers: &BTreeSet<AccountId>,
        author: Author,
    ) -> Result<(), StoreError> {
        department_managers::Entity::delete_many()
            .filter(department_managers::Column::DepartmentId.eq(department.0))
            .exec(&self.tx)
            .await?;
        for account in managers {
            self.known_account(*account).await?;
            self.let_lead(*account, department).await?;
        }
        let detail = serde_json::json!({ "managers": managers });
        self.audit(
            author,
            "department.managers",
            &department.to_string(),
            detail,
        )
        .await
    }

    /// Replaces which departments an account leads; the same ones again are not audited.
    pub async fn set_led(
        &self,
        account: AccountId,
        departments: &BTreeSet<DepartmentId>,
        author: Author,
    ) -> Result<(), StoreError> {
        let email = self.known_account(account).await?.email;
        let of_account = department_managers::Column::AccountId.eq(account.0);
        let rows = department_managers::Entity::find().filter(of_account.clone());
        let rows = rows.all(&self.tx).await?;
        let before: BTreeSet<_> = rows
            .iter()
            .map(|row| DepartmentId(row.department_id))
            .collect();
        if before == *departments {
            return Ok(());
        }
        department_managers::Entity::delete_many()
            .filter(of_account)
            .exec(&self.tx)
            .await?;
        for department in departments {
            self.let_lead(account, *department).await?;
        }
        let detail = serde_json::json!({ "departments": departments });
        self.audit(author, "account.leads", &email, detail).await
    }

    async fn let_lead(
        &self,
        account: AccountId,
        department: DepartmentId,
    ) -> Result<(), StoreError> {
        let row = department_managers::ActiveModel {
            department_id: Set(department.0),
            account_id: Set(account.0),
        };
        department_managers::Entity::insert(row)
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }
}

impl Store {
    /// The departments an account leads.
    pub async fn managed_by(
        &self,
        account: AccountId,
    ) -> Result<BTreeSet<DepartmentId>, StoreError> {
        let rows = sql::all(
            self.read(),
            "SELECT department_id FROM department_managers WHERE account_id = $1",
            [account.0.into()],
        )
        .await?;
        rows.iter()
            .map(|row| Ok(DepartmentId(row.try_get_by_index(0)?)))
            .collect()
    }
}
