//! Who may see and do what. The server sends only what the roles allow; the navigation never offers the rest.

use std::collections::BTreeSet;

use store::accounts::Role;

/// What an account may see and do. Managers and employees get their pages with the scopes that limit them to their own team.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct May {
    pub today: bool,
    /// The day table and the pages of people.
    pub people: bool,
    pub edit_people: bool,
    pub devices: bool,
    pub edit_devices: bool,
    pub failures: bool,
    /// The mapping inbox.
    pub map: bool,
    pub roll_call: bool,
    /// Adding and voiding punches.
    pub correct: bool,
    /// Payroll: its profiles and files.
    pub reports: bool,
    /// Shifts, rosters, holidays, leave, and the rules.
    pub plan: bool,
    /// Closing months.
    pub close: bool,
    /// Opening a closed month again.
    pub reopen: bool,
    /// Answering what employees ask for: of everybody, or as a manager of the departments led.
    pub answer: bool,
    /// The queue of days that need a decision.
    pub decide: bool,
    /// The people of the departments led, and their days.
    pub team: bool,
    /// The own days, for an account that belongs to an employee.
    pub me: bool,
    /// Accounts, as far as [`may_grant`] goes.
    pub users: bool,
}

impl May {
    pub fn of(roles: &BTreeSet<Role>) -> Self {
        use Role::{Employee, Hr, It, Manager, Owner};
        let any = |wanted: &[Role]| wanted.iter().any(|role| roles.contains(role));
        Self {
            today: any(&[Owner, Hr, It]),
            people: any(&[Owner, Hr]),
            edit_people: any(&[Hr]),
            devices: any(&[Owner, It]),
            edit_devices: any(&[It]),
            failures: any(&[It]),
            map: any(&[Hr, It]),
            roll_call: any(&[Owner, Hr]),
            correct: any(&[Owner, Hr]),
            reports: any(&[Hr]),
            plan: any(&[Hr]),
            close: any(&[Owner, Hr]),
            reopen: any(&[Owner]),
            answer: any(&[Hr, Manager]),
            decide: any(&[Owner, Hr]),
            team: any(&[Manager]),
            me: any(&[Employee]),
            users: any(&[Owner, Hr, It]),
        }
    }

    /// Day and month, of everybody or of the own team.
    pub fn days(self) -> bool {
        self.people || self.team
    }

    /// Where signing in leads.
    pub fn landing(self) -> &'static str {
        if self.people {
            "/today"
        } else if self.devices {
            "/devices"
        } else if self.team {
            "/today?team=mine"
        } else if self.me {
            "/me"
        } else {
            "/account"
        }
    }
}

/// Whether somebody may give, take away or act for a role: owners every one, others their own and those below. Who makes a link
/// for an account can become it, so this also holds for that.
pub fn may_grant(own: &BTreeSet<Role>, role: Role) -> bool {
    own.contains(&Role::Owner)
        || matches!(role, Role::Manager | Role::Employee)
        || own.contains(&role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_decide_where_people_land() {
        let landing = |roles: &[Role]| May::of(&roles.iter().copied().collect()).landing();
        assert_eq!(landing(&[Role::Owner, Role::Hr, Role::It]), "/today");
        assert_eq!(landing(&[Role::Hr]), "/today");
        assert_eq!(landing(&[Role::It]), "/devices");
        assert_eq!(
            landing(&[Role::Manager, Role::Employee]),
            "/today?team=mine"
        );
        assert_eq!(landing(&[Role::Employee]), "/me");
        assert_eq!(landing(&[]), "/account");
    }

    #[test]
    fn an_owner_sees_devices_but_does_not_edit_them() {
        let may = May::of(&[Role::Owner].into());
        assert!(may.devices && !may.edit_devices && !may.map);
    }

    #[test]
    fn only_an_owner_opens_what_is_closed() {
        let may = |role| May::of(&[role].into());
        assert!(may(Role::Owner).close && may(Role::Owner).reopen);
        assert!(may(Role::Hr).close && !may(Role::Hr).reopen);
        for role in [Role::It, Role::Manager, Role::Employee] {
            assert!(!may(role).close && !may(role).reopen, "{role:?}");
        }
    }

    #[test]
    fn nobody_but_an_owner_makes_an_owner() {
        let grants = |own: &[Role]| -> Vec<Role> {
            let own = own.iter().copied().collect();
            let all = Role::ALL.iter().copied();
            all.filter(|role| may_grant(&own, *role)).collect()
        };
        assert_eq!(grants(&[Role::Owner]), Role::ALL);
        assert_eq!(
            grants(&[Role::Hr]),
            [Role::Hr, Role::Manager, Role::Employee]
        );
        assert_eq!(
            grants(&[Role::It]),
            [Role::It, Role::Manager, Role::Employee]
        );
        for role in [Role::Manager, Role::Employee] {
            assert!(!May::of(&[role].into()).users, "{role:?}");
        }
    }

    #[test]
    fn managers_answer_and_employees_only_ask() {
        let may = |role| May::of(&[role].into());
        let manager = may(Role::Manager);
        assert!(manager.answer && manager.team);
        assert!(!manager.people && !manager.decide && !manager.correct && !manager.me);
        let expected = May {
            me: true,
            ..May::default()
        };
        assert_eq!(may(Role::Employee), expected);
        assert!(may(Role::Hr).answer && may(Role::Hr).decide && !may(Role::It).answer);
    }
}
