//! Whose days somebody sees: everybody's, or those of the departments led now.

use std::collections::{BTreeSet, HashSet};

use attendance::AccountId;
use store::views::board::SiteRow;
use store::views::team;

use crate::WebState;
use crate::board::Frame;
use crate::error::PageError;
use crate::session::Visitor;

/// The filter of a page by which whoever sees everybody looks at the own team.
pub(crate) const MINE: &str = "mine";

/// The people of the departments somebody leads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Team {
    people: HashSet<i64>,
    sites: BTreeSet<i64>,
    departments: BTreeSet<i64>,
}

impl Team {
    pub async fn of(state: &WebState, visitor: &Visitor) -> Result<Self, PageError> {
        visitor.require(visitor.may().team)?;
        let account = AccountId(visitor.person.account);
        let led = state.store.managed_by(account).await?;
        let members = team::members(&state.store, &led).await?;
        Ok(Self {
            people: members.iter().map(|one| one.id).collect(),
            sites: members.iter().map(|one| one.site_id).collect(),
            departments: led.iter().map(|id| id.0).collect(),
        })
    }

    pub fn has(&self, employee: i64) -> bool {
        self.people.contains(&employee)
    }

    /// The site asked for if somebody of the team works there, else the first such one.
    pub fn site(&self, frame: &Frame, wanted: Option<i64>) -> Option<i64> {
        let mut sites = frame.sites.iter().map(|site| site.id);
        let wanted = wanted.filter(|site| self.works_at(*site));
        wanted.or_else(|| sites.find(|site| self.works_at(*site)))
    }

    pub fn works_at(&self, site: i64) -> bool {
        self.sites.contains(&site)
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Sight {
    Everybody,
    Team(Team),
}

impl Sight {
    /// What the roles allow, or only the own team where that is asked for.
    ///
    /// # Errors
    /// [`PageError::NotFound`] for somebody who sees neither everybody nor a team.
    pub async fn of(state: &WebState, visitor: &Visitor, asked: &str) -> Result<Self, PageError> {
        match visitor.may().people && asked != MINE {
            true => Ok(Self::Everybody),
            false => Ok(Self::Team(Team::of(state, visitor).await?)),
        }
    }

    pub fn team(&self) -> Option<&Team> {
        match self {
            Self::Everybody => None,
            Self::Team(team) => Some(team),
        }
    }

    pub fn sees(&self, employee: i64) -> bool {
        self.team().is_none_or(|team| team.has(employee))
    }

    pub fn sees_site(&self, site: i64) -> bool {
        self.team().is_none_or(|team| team.works_at(site))
    }

    /// What concerns all departments concerns everybody.
    pub fn sees_department(&self, department: Option<i64>) -> bool {
        match (self.team(), department) {
            (Some(team), Some(department)) => team.departments.contains(&department),
            _ => true,
        }
    }

    /// The site asked for if somebody to be seen works there, else the first such one.
    pub fn site<'a>(&self, frame: &'a Frame, wanted: Option<i64>) -> Option<&'a SiteRow> {
        match self.team() {
            None => frame.site(wanted),
            Some(team) => frame.site(Some(team.site(frame, wanted)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_team_is_looked_at_where_it_works() {
        let site = |id, name: &str| SiteRow {
            id,
            name: name.to_owned(),
            zone: "UTC".to_owned(),
            is_default: id == 1,
        };
        let frame = Frame {
            sites: Arc::new(vec![site(1, "Main"), site(2, "Mill"), site(3, "Port")]),
            ..Frame::default()
        };
        let id = |sight: &Sight, wanted| sight.site(&frame, wanted).map(|site| site.id);
        let team = Sight::Team(Team {
            people: [7].into(),
            sites: [2, 3].into(),
            departments: [5].into(),
        });
        assert_eq!(id(&Sight::Everybody, None), Some(1));
        assert_eq!(id(&team, None), Some(2));
        assert_eq!(id(&team, Some(3)), Some(3));
        assert_eq!(id(&team, Some(1)), Some(2));
        assert_eq!(id(&Sight::Team(Team::default()), Some(1)), None);
        assert!(team.sees(7) && !team.sees(8));
        assert!(team.sees_department(Some(5)) && team.sees_department(None));
        assert!(!team.sees_department(Some(6)));
    }
}
