//! The sums of a person's reports over some days. R9: they add the printed minutes, so a sheet adds up by hand.

use attendance::Status;
use store::views::sheet::SheetReport;

/// Days are counted by status: a half leave or duty counts as the status of the other half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub present: i64,
    pub half_day: i64,
    pub absent: i64,
    pub leave: i64,
    pub on_duty: i64,
    pub weekly_off: i64,
    pub holiday: i64,
    pub unknown: i64,
    /// Not due or not arrived: the day has not ended.
    pub open: i64,
    pub late_days: i64,
    pub late_min: i64,
    pub early_min: i64,
    pub planned_min: i64,
    pub worked_min: i64,
    pub overtime_min: i64,
    pub night_min: i64,
    /// Days that wait for a person.
    pub exceptions: i64,
}

impl Totals {
    pub fn of<'a>(reports: impl IntoIterator<Item = &'a SheetReport>) -> Self {
        let mut totals = Self::default();
        for report in reports {
            totals.add(report);
        }
        totals
    }

    fn add(&mut self, report: &SheetReport) {
        let count = match report.status {
            Status::Present => &mut self.present,
            Status::HalfDay => &mut self.half_day,
            Status::Absent => &mut self.absent,
            Status::OnLeave => &mut self.leave,
            Status::OnDuty => &mut self.on_duty,
            Status::WeeklyOff => &mut self.weekly_off,
            Status::Holiday => &mut self.holiday,
            Status::Unknown => &mut self.unknown,
            Status::NotDue | Status::NotArrived => &mut self.open,
            Status::NotEmployed => return,
        };
        *count += 1;
        self.late_days += i64::from(report.late_min > 0);
        self.late_min += report.late_min;
        self.early_min += report.early_min;
        self.planned_min += report.planned_min;
        self.worked_min += report.worked_min;
        self.overtime_min += report.overtime_min;
        self.night_min += report.night_min;
        self.exceptions += i64::from(!report.exceptions.is_empty());
    }

    /// Name and value, in the order of the columns of a month.
    pub fn named(&self) -> [(&'static str, i64); 17] {
        [
            ("present_days", self.present),
            ("half_days", self.half_day),
            ("absent_days", self.absent),
            ("leave_days", self.leave),
            ("on_duty_days", self.on_duty),
            ("weekly_off_days", self.weekly_off),
            ("holiday_days", self.holiday),
            ("unknown_days", self.unknown),
            ("open_days", self.open),
            ("late_days", self.late_days),
            ("late_min", self.late_min),
            ("early_min", self.early_min),
            ("planned_min", self.planned_min),
            ("worked_min", self.worked_min),
            ("overtime_min", self.overtime_min),
            ("night_min", self.night_min),
            ("exception_days", self.exceptions),
        ]
    }
}
