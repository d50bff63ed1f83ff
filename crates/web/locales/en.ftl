# Every text a person reads. One message per line; keys by page, statuses and words of the domain first.
# `{" "}` and no-break spaces keep numbers with their units.

muster = Muster
skip-to-content = Skip to content

## Navigation
nav-main = Main
nav-today = Today
nav-day = Day
nav-people = People
nav-devices = Devices
nav-inbox = Mapping inbox
nav-inbox-short = Inbox
nav-rollcall = Roll call
nav-failures = Failures
nav-account = Account
nav-more = More
nav-needs-a-person = Needs a person

role-owner = Owner
role-hr = HR
role-manager = Manager
role-it = IT
role-employee = Employee

## Times and durations
weekday-1 = Monday
weekday-2 = Tuesday
weekday-3 = Wednesday
weekday-4 = Thursday
weekday-5 = Friday
weekday-6 = Saturday
weekday-7 = Sunday
weekday-short-1 = Mon
weekday-short-2 = Tue
weekday-short-3 = Wed
weekday-short-4 = Thu
weekday-short-5 = Fri
weekday-short-6 = Sat
weekday-short-7 = Sun
month-1 = January
month-2 = February
month-3 = March
month-4 = April
month-5 = May
month-6 = June
month-7 = July
month-8 = August
month-9 = September
month-10 = October
month-11 = November
month-12 = December
month-short-1 = Jan
month-short-2 = Feb
month-short-3 = Mar
month-short-4 = Apr
month-short-5 = May
month-short-6 = Jun
month-short-7 = Jul
month-short-8 = Aug
month-short-9 = Sep
month-short-10 = Oct
month-short-11 = Nov
month-short-12 = Dec
date-long = { $weekday } { $day } { $month } { $year }
date-month = { $month } { $year }
date-short = { $weekday } { $day } { $month }
date-short-year = { $weekday } { $day } { $month } { $year }
date-day = { $day } { $month }
date-day-year = { $day } { $month } { $year }
moment-yesterday = yesterday { $time }
moment-date = { $date } { $time }
duration-seconds = { $seconds } s
duration-minutes = { $minutes } min
duration-hours = { $hours } h { $minutes }
duration-exact = { $hours } h { $minutes } min { $seconds } s
duration-days = { $days ->
    [one] { $days } day
   *[other] { $days } days
}
ago = { $age } ago
time = Time

## Statuses
status = Status
status-present = Present
status-half_day = Half day
status-absent = Absent
status-not_arrived = Not arrived
status-not_due = Not due yet
status-on_leave = On leave
status-weekly_off = Weekly off
status-holiday = Holiday
status-on_duty = On duty
status-unknown = Unknown
late = Late
late-by = Late { $minutes }
present-late = Present, late
not-judged = No report yet
punch-out = Out
exception-missing_in = Missing in
exception-missing_out = Missing out
exception-off_shift = Off shift
exception-leave_conflict = Leave conflict
exception-direction_conflict = Direction conflict
exception-roll_call_conflict = Roll call conflict
exception-unpaired = Unpaired punch
exception-long_session = Long session

way-poll = poll
way-push = push
way-live = live
way-import = import

## Words of the domain
site = Site
person = Person
device = Device
devices = Devices
department = Department
no-department = No department

## Today
today-title = Today
live = Live
live-stale = Not live for { $age }, trying again
live-stale-short = Not live
live-lost = The connection to the server is lost. Figures are as of { $time }.
reload = Reload
last-punch = last punch
selected = { $count } selected
start-roll-call = Start roll call
open-device = Open device
start-title = Muster is ready.
start-text = It shows people once it knows them and can read a terminal.
add-device = Add device
import-people = Import people
in-of-expected = in, of { $expected } expected
on-the-roll = { $count ->
    [one] { $count } person on the roll
   *[other] { $count } people on the roll
}
brief-title = Brief of { $time }
brief-arrived = { $expected ->
    [one] { $arrived } of one person expected had come.
   *[other] { $arrived } of { $expected } expected had come.
  }
brief-usual = Usual on a { $weekday }: { $usual }.
brief-late = { $late ->
    [one] One of them was late.
   *[other] { $late } of them were late.
  }
brief-nobody-late = Nobody was late.
brief-department = { $department }: { $people } in, usually { $usual }.
brief-devices-well = All devices were in contact.
brief-devices-down = { $count ->
    [one] { $devices } was out of contact.
   *[other] { $count } devices were out of contact: { $devices }.
  }
usual-same = as usual on a { $weekday } at { $time } ({ $usual })
usual-more = { $difference } more than a usual { $weekday } at { $time } ({ $usual })
usual-fewer = { $difference } fewer than a usual { $weekday } at { $time } ({ $usual })
usual-of-arrivals = { $arrivals } arrived, { $comparison }
segment-in = In
segment-on_time = On time
segment-late = Late
segment-half_day = Half day
segment-not_arrived = Not arrived
segment-absent = Absent
segment-unknown = Unknown
segment-not_due = Not due yet
segment-on_leave = On leave
segment-weekly_off = Weekly off
segment-holiday = Holiday
caption-first = first at { $time }
caption-nobody-yet = nobody yet
caption-by = by { $time }
caption-within-grace = within the grace
caption-after = after { $time }
caption-after-grace = after the grace
caption-half-day = under half the hours
caption-due = due at { $time }
caption-past-start = past their start
caption-final = final
caption-grace-ends = grace ends { $time }
caption-not-due = before their start
caption-approved = approved
caption-roster = by roster
caption-calendar = by calendar
arrivals = Arrivals
arrivals-caption = running total, against the last { $days } { $weekday }s
arrivals-caption-team = running total
arrivals-caption-new = running total; the usual appears after three weeks
arrivals-today = Today
arrivals-usual = Usual
arrivals-range = Range
arrivals-start = Start { $time }
arrivals-grace = Grace { $time }
arrivals-now = { $arrived } in
arrivals-conclusion = { $arrived } in at { $time }
arrivals-conclusion-usual = { $arrived } in at { $time }, usual { $usual }
view-as-table = View as table
view-as-chart = View as chart
departments = Departments
departments-sub = in, of expected
departments-bar = Shares
departments-note = Who is missing
departments-empty = Nobody is on the roll today.
n-not-arrived = { $count } not arrived
n-absent = { $count } absent
n-late = { $count } late
n-unknown = { $count } unknown
n-not-due = { $count } not due yet
recent-attendances = Recent Attendances
updates-by-itself = updates by itself
show-all = Show all
punches-empty = No punches yet. They appear here by themselves.
and-more-punches = and { $count } more
and-more = and { $count } more
map = Map
not-mapped = not mapped
user-not-mapped = User { $user }, not mapped
not-arrived-empty = Everybody who is due has been seen.
not-arrived-but-unknown = Nobody is known to be missing, but some are unknown.
not-arrived-or-absent = Not arrived or absent
unknown-empty = Nobody is unknown.
late-empty = Nobody is late.
devices-empty = No devices yet. Add one to begin.
usually = usually { $time }
no-punch-since-joining = no punch since joining { $date }
uses-only = uses only { $device }
waits-for = waits for { $device }
reason-no_device = no terminal could have seen them
reason-not_covered = terminals not read yet
device-is-down = { $device } is down
devices-are-down = { $count } devices are down
devices-in-contact = { $well } of { $all } in contact
spoken = { $arrived } of { $expected } in, { $missing } not arrived
notice-since = (since { $time }).
notice-only = { $people ->
    [one] One person uses only this terminal and is unknown, not absent.
   *[other] { $people } people use only this terminal, so they are unknown, not absent.
}
notice-also = { $people ->
    [one] One person who uses it is unknown, not absent, until it is read.
   *[other] { $people } people who use it are unknown, not absent, until it is read.
}
notice-kept = Punches made there are kept by the terminal until it can be read again.

## Condition of devices
condition-removed = Removed
condition-disabled = Switched off
condition-refused = Refused (password)
condition-not-identified = Not identified
condition-no-contact = No contact
condition-reading-fails = Reading fails
condition-waiting = Waiting for an address
condition-not-read = Not read yet
condition-no-calls = No calls
condition-no-push = Events do not arrive
condition-waiting-call = Waiting for its first call
condition-clock-off = Clock off
condition-well = In contact
lasting-removed = removed
lasting-disabled = switched off
lasting-refused = password refused for
lasting-not-identified = not identified for
lasting-no-contact = no contact for
lasting-reading-fails = reading fails for
lasting-waiting = waiting for an address
lasting-not-read = not read yet
lasting-no-calls = no calls for
lasting-no-push = its events do not arrive for
lasting-waiting-call = waiting for its first call
lasting-clock-off = clock off
lasting-well = in contact

## Errors
error-sign-in-title = You are signed out
error-sign-in-text = Sign in again; nothing was changed.
error-not-found-title = Nothing here
error-not-found-text = The page does not exist, or it is not among what you may see.
error-origin-title = Not sent
error-origin-text = The form was not sent from a page of Muster, so nothing was changed. Open the page again and repeat it.
error-bad-request-title = Not understood
error-bad-request-text = The request was incomplete, so nothing was changed. Open the page again and repeat it.
error-too-large-title = Too large
error-too-large-text = A file may have at most 4 MB, so nothing was read and nothing was changed. Divide it and send the parts one after another.
error-too-many-rows-title = Too many rows for Excel
error-too-many-rows-text = A sheet of Excel holds 1,048,575 rows. Take fewer days, one department, or CSV.
request-failed = The server did not answer, or answered with an error. What you see may be old.
error-failed-title = This page failed
error-failed-text = Nothing was lost: punches are stored before they are shown. Try again; if it happens again, tell your administrator the reference.
error-reference = Reference
error-back = Back to the start

## The door
login-title = Sign in
login-email = E-mail
login-password = Password
login-button = Sign in
login-wrong = E-mail and password do not match. { $left ->
    [one] One try left.
   *[other] { $left } tries left.
}
login-wait = Too many failed tries. Wait five minutes, then try again.
login-forgot = Forgot it? Whoever made your account makes another link for you, under Users. For an owner, whoever runs the server makes one with
sign-out = Sign out
setup-step-owner = Owner account
setup-step-company = Company and zone
setup-step-device = First device
setup-step-people = People
setup-owner-title = Create the owner account
setup-owner-text = The owner sees everything and decides who else may. The link you opened works once.
setup-owner-button = Create account
setup-used-title = This link no longer works
setup-used-text = One-time links work once and for a limited time. Ask whoever gave it to you for another. The link of an owner is made on the server:
choose-password-title = Choose your password
choose-password-text = You sign in with { $email } and this password. The link you opened works once.
choose-password-button = Save and sign in
reset-title = Set a new password
reset-text = For an owner who cannot sign in any more. The link you opened works once, and everybody signed in with the old password is signed out.
reset-email-hint = With which the owner signs in.
reset-no-owner = No owner signs in with this address.
field-your-name = Your name
field-email = E-mail
owner-name-missing = Enter your name.
owner-email-wrong = Enter an e-mail address.
owner-email-hint = You sign in with it.
password-hint = At least 10 characters. A few words are better than one with signs.
password-short = Use at least { $least } characters.
password-long = Use at most { $most } characters.
password-present = Present password
password-present-wrong = This is not your present password. Nothing was changed.
password-new = New password
password-changed = Your password was changed.
password-button = Change password
account-theme = Appearance
account-password = Password
account-keys = On pages of days, requests and exceptions single letters stand for their buttons, such as P for adding a punch.
theme-system = System
theme-light = Light
theme-dark = Dark
theme-hint = For this browser.
form-problems = { $count ->
    [one] One field needs another look. Nothing was saved.
   *[other] { $count } fields need another look. Nothing was saved.
}
refused-taken = { $value } exists already. Choose another.
refused-proven = The terminal has answered with the serial number { $serial }. Add another device instead.
refused-gone = What was chosen here was removed meanwhile. Choose again.
refused-secret = Passwords cannot be kept, because the server has no key for them. Whoever runs it can make one with the command
    `muster init`.
refused-invalid = This cannot be stored. Look through the fields and send them again.

## Day
previous-day = Previous day
next-day = Next day
filter-by-status = Filter by status
filter = Filter
day-all = All
day-exceptions = Exceptions
day-caption = Attendance on { $date }
day-empty = Nobody is on the roll on this day with this filter.
day-empty-status = Nobody is “{ $status }” on { $date }.
close = Close
clear-filter = Clear filter
clear-selection = Clear selection
search-name-or-code = Name or code ( / )
all-departments = All departments
all-shifts = All shifts
all-devices = All devices
shift = Shift
rows-shown = { $from } to { $to } of { $all }
take-roll-call = Take roll call
select-all = Select all shown
select-person = Select { $name }
first-in = First in
last-out = Last out
worked = Worked
note = Note
none = none
pages = Pages
note-early = Left early { $minutes }
note-overtime = Overtime { $minutes }
leave-part-first_half = Leave in the first half
leave-part-second_half = Leave in the second half
leave-part-on_duty_first_half = On duty in the first half
leave-part-on_duty_second_half = On duty in the second half
correction-roll_call = Roll call { $time }, { $author }: { $reason }
correction-add = Added punch { $time }, { $author }: { $reason }
correction-void = Punch { $time } voided, { $author }: { $reason }
correction-restore = Void of { $time } taken back, { $author }: { $reason }

## Devices
kind-zk = ZKTeco
kind-hik = Hikvision
poll-now = Poll now
poll-asked = The terminal is being read. Its cycle appears below in a moment.
polls-asked = { $count ->
    [0] No terminal is read now: all are switched off, refused, or without an address.
    [one] One terminal is being read. The rows below change by themselves.
   *[other] { $count } terminals are being read. The rows below change by themselves.
}
not-polled-removed = The device is removed, so it is not read.
not-polled-disabled = The device is switched off, so it is not read.
not-polled-refused = The device is not read: it refused the password or comm key. Change it first.
not-polled-address = The device has no address yet, so it is not read.
not-polled-way = The device is not read over the network.
not-polled-calls = The device is not read: it calls by itself.
doctor-now = Doctor
edit = Edit
save = Save
cancel = Cancel
ways-in = Ways in
way = Way
last-contact = Last contact
read-up-to = Read up to
last-cycle = Last cycle
clock = Clock
users = Users
contact-24h = Contact, last 24 h
contact-strip = Contact in the last 24 hours, { $down } of { $all } half hours without
serial-and-address = Serial and address
new = new
of-read = of { $read }
failed-at = failed at: { $step }
failures = Failures
failures-sub = each logged once, from going away to coming back
failures-empty = No failures. Every terminal answered.
when = When
lasted = Lasted
step = Step
reason = Reason
actions = Actions
since = since { $time }
from-to = { $from } to { $to }
tried-times = (tried { $count } times)
open = Open
recovered = Recovered
step-resolve = find address
step-connect = connect
step-tls = encrypt
step-sign_in = sign in
step-identify = serial number
step-clock = clock
step-counters = counters
step-users = users
step-punches = punches
step-live = live
step-call = calls
step-upload = upload
step-write = writing
step-push = push
last-cycles = Last cycles
last-cycles-sub = read, new, duplicate, rejected
cycles-empty = Not read yet.
cycles-folded = and { $count } more in the same way, until { $time }
started = Started
read = Read
new-column = New
duplicate = Duplicate
rejected = Rejected
took = Took
parked = Set aside
parked-sub = kept, counted for nobody
last-seen = Last seen
times-seen = Times
identity = Identity
users-sub = { $users } on the device, { $unmapped } without a person
users-empty = The user list has not been read yet.
device-user = Device user
name = Name
fingerprints = Fingerprints
fingerprints-sub = { $users ->
    [one] backed up of one user
   *[other] backed up of { $users } users
}
fingerprints-for = Kept encrypted, for: { $purpose }
fingerprints-off = Nothing of fingerprints is read, kept or written: muster.toml does not say for what, in [fingerprints] purpose.
fingerprints-backup = Back up now
fingerprints-to = Terminal
fingerprints-copy = Copy to it
fingerprints-forget = Forget
fingerprints-forget-of = Forget the fingerprints of user { $user }
fingerprints-forgotten = The backup of user { $user } is deleted.
fingerprints-forgotten-text = Nothing has changed at the terminal.
fingerprints-kept = Read and kept: fingers { $fingers }, users { $users }.
fingerprints-kept-text = They are stored encrypted.
fingerprints-copied = Copied: user { $user }, fingers { $fingers }.
fingerprints-copied-text = They were read back from the other terminal and are the same.
fingerprints-more = And { $count } more; the command line lists all.
fingers = Fingers
algorithm = Algorithm
taken = Taken
doctor-title = Doctor
doctor-sub = nothing was stored
check-resolve = Address
check-tcp = TCP
check-udp = UDP
check-tls = TLS
check-handshake = First answer
check-key = Key or password
check-serial = Serial number
check-clock = Clock
check-permissions = What it can do
check-counters = Counters
check-users = Users
check-live = Live events
check-log = Log
check-push = Push slots
ability-events = events
ability-people = people
ability-cards = cards
ability-faces = faces
ability-fingerprints = fingerprints
ability-door = door
check-not-offered = not offered
check-not-tried = not tried
seen-key-accepted = accepted
seen-key-none = none set: everybody on its network can read, change and clear it
seen-clock = { $clock }, terminal minus server { $drift }
seen-clock-off = { $clock }, terminal minus server { $drift }: set the clock, or correct the zone of the device
number = { $number }
seen-records = { $records ->
    [one] 1 record
   *[other] { $records } records
  }
seen-records-of = { $records } of { $capacity } records
seen-users = { $users ->
    [one] 1 user
   *[other] { $users } users
  }
seen-log = { $punches ->
    [one] 1 punch
   *[other] { $punches } punches
  }, { $rejected } not understood
seen-log-part = { $punches } punches in 10 s, { $rejected } not understood; there are more
duration-ms = { $ms } ms
advice-resolve = Check the spelling of the host name, or use the IP address from the terminal’s network menu.
advice-unreachable = Check its power and network cable, and the address in its network menu. Some terminals serve one connection at a time: stop other software that reads it. Punches made there are kept by the terminal.
advice-silent = Nothing of an interrupted reading is kept, and nothing is lost: it is still on the terminal. Check the network between.
advice-credentials = Muster tried it once and will not try again until you change it, so the terminal does not lock.
advice-key_required = The key is in the terminal’s menu Comm. › PC connection. Enter it as the comm key of the device.
advice-locked = Somebody tried wrong passwords. Wait until the lock is over, half an hour if it does not say, then try again with the right one.
advice-sign_in_unanswered = It answered until the password was sent, and may have locked us out: compare user name and password, wait half an hour, then try again.
advice-sign_in_refused = Compare user name and password, and whether this account may use the terminal over the network.
advice-few_attempts = The terminal allows only one or two wrong passwords more before it locks for half an hour, so this one was not sent. Make sure of it, then let it be tried anyway.
advice-no_tls = What answers there does not encrypt, or not as we do. Check the port: HTTPS is mostly 443, plain HTTP 80.
advice-tls_too_old = Newer firmware mostly has TLS 1.2. Without it only plain HTTP is left (transport TCP), which everybody on the way can read.
advice-other_certificate = Nothing was sent to it. After a factory reset or new firmware a terminal has another certificate; otherwise something stands in between. Compare it with the one on the terminal’s own web page, and accept it if it is right.
advice-busy = The terminal has other work, or no memory for this. It is asked again by itself.
advice-device_fault = Something is broken inside the terminal. Restart it; if that does not help, its vendor can.
advice-not_activated = The terminal is as from the factory: give it its first password at its own screen or web page.
advice-low_privilege = The user may not do this. Give it the permission on the terminal’s own web page (remote parameter settings, remote log search), or use another user.
advice-not_supported = The firmware of this terminal has no such thing.
advice-device_full = The terminal holds as many people, cards or faces as it can. Delete some there.
advice-too_many_listeners = Other software listens to this terminal and takes all its places. End it, or poll the terminal.
advice-reboot_required = Restart the terminal.
advice-wrong_serial = No punch was taken. Check the address, or add the other terminal as a device of its own.
advice-no_protocol = Firmware of this kind gives its punches by push instead (menu Comm. › Cloud server); ask the vendor for one that answers on port 4370.
advice-no_log = Set the terminal to attendance mode, or have it push its punches (menu Comm. › Cloud server).
advice-no_large_answers = Other firmware can, or have it push its punches (menu Comm. › Cloud server).
advice-access_panel = C3 and inBio access panels use the same port with another protocol, which Muster does not speak. Check the address.
advice-stream_full = It tells its punches to a few at once. Stop other software that listens to it, or leave it to be read: every punch comes with the next reading.
advice-stream_mute = Leave it to be read: every punch comes with the next reading. Other firmware may tell them at once.
advice-refused = It may be busy. If it stays so, its firmware or the account does not allow this.
advice-write_unsure = The terminal fell silent while it was written to. Look at what it shows now before you try again.
advice-write_does_not_fit = Nothing was changed. Shorten or correct it and try again.
advice-write_nobody = Nothing was changed. Its list of users shows who is there; zeros in front of a number count.
advice-write_algorithm = Nothing was changed. Enrol the finger at this terminal.
advice-write_log_changed = Nothing was deleted. Somebody punched meanwhile; try again when it is quiet there.
advice-write_full = Nothing was changed. Delete somebody there who has left, then try again.
advice-write_not_allowed = Nothing was changed. Give the account the right for this on the terminal’s web page (User Management), or use another account.
advice-write_card_taken = Nothing was changed. Take the card away from who has it first.
advice-write_meanwhile = Nothing was changed. Poll the device, then look at the user.
advice-write_picture = Nothing was changed. Use a picture with one face from the front, well lit, at most 200 kB.
advice-write_refused = Nothing was changed. Its firmware or its settings do not allow this.
advice-write_partly = The first part is done. Correct what the terminal did not like and save again.
advice-write_not_read_back = Look at what the terminal shows now before you try again.
advice-write_not_as_asked = The terminal took the request and shows something else now. Look at it there; its firmware may not do this over the network.
advice-write_not_offered = Do it at the terminal or on its own web page.
advice-write_unverified = Nothing was deleted. Poll the device, look at what is not understood, and try again.
advice-not_understood = Something answers there, but not as this brand does. Check address and port; if they are right, the firmware speaks in a way that this version does not know.
device-filling = The log is { $percent } % full. Clear it before it overwrites its oldest punches or hangs; everything that was read stays here.
device-transport = Transport
device-key = Comm key
device-key-none = none: everybody on its network can read, change and clear it. Set one in its menu Comm. › PC connection, or keep others off that network.
device-transport-unknown = find out
transport-tcp = TCP (Hikvision: plain HTTP)
transport-udp = UDP (ZKTeco)
transport-tls = HTTPS (Hikvision)
device-certificate = Certificate
device-any-certificate = Take any certificate over HTTPS. Nobody notices then who stands in between; without it the first one is kept, and another one is refused.
certificate-any = any: nobody notices who stands in between
trust-title = Sign-in
certificate-other = The terminal shows another certificate than before. Nothing is sent to it until you accept the new one.
certificate-before = Before
certificate-shown = Now
certificate-accept = Accept the new certificate
certificate-accepted = The new certificate is accepted.
certificate-changed = The certificate was not accepted.
certificate-changed-text = The terminal has shown another one meanwhile. Compare again.
sign-in-again-hint = User name and password are not sent any more, so that the terminal does not lock. If it was corrected there, or unlocked, they can be tried once more.
sign-in-anyway = also if it allows only one or two wrong passwords more before it locks for half an hour
sign-in-again = Try them once more
sign-in-again-done = They are tried once more.
sign-in-again-text = If they are refused again, the page says so in a moment.
device-kind = Kind
device-firmware = { $model }, firmware { $firmware }
device-serial = Serial number
device-address = Address
device-no-address = none yet
device-site = Site and zone
device-live = Live since
device-not-live = Only read, not live
device-covered = Read up to
device-never-read = never
device-log = Log on terminal
device-log-of = { $records } of { $capacity } records
device-interval = Poll interval
device-next = Next poll
device-direction = In/Out key
direction-none = not trusted (default)
direction-states = trusted
direction-in = always in
direction-out = always out
address-port = { $address }, port { $port }
trouble-no-contact-title = The terminal does not answer at { $address }.
trouble-no-contact-text = Check its power and network cable. Punches made there are kept by the terminal.
trouble-refused-title = The terminal refused the password or comm key.
trouble-refused-text = Muster tried it once and will not try again until you change it, so the terminal does not lock.
trouble-not-identified-title = The terminal did not confirm serial number { $serial }.
trouble-not-identified-text = No punch was taken. Check the address, or add the other terminal as a device of its own.
trouble-reading-fails-title = The terminal answers, but reading stops.
trouble-reading-fails-text = Nothing of an incomplete read is stored. Muster tries again by itself.
trouble-waiting-title = The device has no address yet.
trouble-waiting-text = Enter its address. Until then it waits, and nobody is unknown because of it.
trouble-searching-title = Searching for the device.
trouble-searching-text = It has no address yet. The subnets of muster.toml are searched for a terminal with its serial number. You can also enter the address.
trouble-no-push-title = The terminal is read, but does not tell its events by itself.
trouble-no-calls-title = The terminal does not call any more.
trouble-no-calls-text = Check its power and network, and the server address in its menu (Comm. › Cloud server). Punches made there are kept by the terminal.
trouble-waiting-call-title = The terminal has not called yet.
trouble-uploads-title = The terminal calls, but its uploads do not go on.
trouble-clock-off-title = The clock of { $name } is off by { $drift } (tolerance 30 s).
trouble-clock-off-text = Punches are kept as it dates them. Set the clock.
clock-card = Clock
clock-card-sub = terminal minus server; the band is the tolerance of 30 s
clock-now = Now
clock-set-now = Set the clock
clock-empty = The clock has not been read yet.
clock-drift = Off by
clock-happened = What happened
clock-by-itself = Muster sets it by itself when it is more than 30 s off, outside the shifts, and never back over a punch.
clock-event-set = Clock set
clock-event-jump = Clock moved to { $drift }
clock-event-reset = Clock reset
clock-event-zone = Zone corrected
clock-was-set = The clock is set.
clock-was-set-text = It was off by { $drift }. The device is read again.
clock-was-set-text-alone = It was off by { $drift }. A time server or platform set it until now and no longer does; the terminal’s menu can have it ask again. The device is read again.
clock-from-outside = A time server or platform sets it. Correct that one.
clock-time-server = If the terminal asks a time server, setting the clock ends that: it runs by itself then, and Muster never does it unasked.
clock-is-right = The clock is right within 30 s.
clock-is-right-text = It was left alone.
clock-not-set = The clock was not set.
clock-over-punch = It would go back over a punch it has dated { $time }. Try again after that.
clock-step-failed = { $step }: { $why }
drift-conclusion = The clock was { $drift } off when it was noted last; { $events ->
    [0] nothing happened to it.
    [one] 1 event.
   *[other] { $events } events.
 }
drift-mark = { $event } { $time }
shifts-title = Punches of a wrong clock
shifts-sub = they count in no day until somebody says when they were made
run-of-day = { $punches ->
    [one] 1 punch dated { $date } is set aside
   *[other] { $punches } punches dated { $date } are set aside
 }, no day was changed.
run-of-days = { $punches ->
    [one] 1 punch dated { $date } is set aside
   *[other] { $punches } punches dated { $date } to { $until } are set aside
 }, no day was changed.
run-span = The first at { $first }, the last at { $last } of its clock. Shift them by a fixed amount, or leave them.
shift-open = Shift these by …
shift-from = From, on the wrong clock
shift-to = To, on the wrong clock
shift-by = Shift by
shift-by-hint = For example +9:30 or −2 days 3:00. 0 h lets them count as they are.
shift-really = Or: the first was really at
shift-really-hint = Somebody may remember it. All others move with it.
shift-show = Show what it does
shift-preview = Shifted by { $shift }
shift-said = The device said
shift-counts = It will count as
shift-first = First
shift-last = Last
shift-apply = { $punches ->
    [one] Shift 1 punch by { $shift }
   *[other] Shift { $punches } punches by { $shift }
 }
shift-range-wrong = Enter two times of the wrong clock, the earlier first.
shift-by-wrong = Enter an amount like +9:30, −45 min or 2 days 3:00.
shift-really-wrong = Enter a date and a time.
shift-one-of-both = Enter the amount, or when the first of them really was.
shift-reason-missing = Enter a reason; it is kept with the shift.
shift-refused = Nothing was shifted.
shift-title = { $punches ->
    [0] No punch
    [one] 1 punch
   *[other] { $punches } punches
 } from { $from } to { $to }, shifted by { $shift }
shift-made = { $author }, { $time }: { $reason }
shift-nobody = Command line
shift-undone = taken back { $time }
pick-zk = A ZKTeco terminal
pick-zk-text = Read over the network, usually on port 4370
pick-hik = A Hikvision terminal
pick-hik-text = Read over ISAPI, usually on port 80
device-form-text = The serial number is on the sticker at the back, or in the menu under System info. Nothing is changed on the terminal.
device-serial-hint = The identity of the device.
device-serial-missing = Enter the serial number.
device-name-hint = As people call it, e.g. Main gate. Empty: the serial number.
device-address-hint = Optional. Without it the device waits.
device-port = Port
device-port-hint = Optional: 4370 for ZKTeco, 80 for Hikvision.
device-port-wrong = A port is a number from 1 to 65535.
device-comm-key = Comm key
device-comm-key-hint = ZKTeco only. Empty: none, or what is stored already.
device-comm-key-wrong = A comm key is a number.
device-secret-not-kept = Enter it again; it was not kept.
device-username = User name
device-username-hint = Hikvision only.
device-password-hint = Hikvision only. Empty: what is stored already.
device-interval-min = Poll every … minutes
device-interval-hint = From 1 to 1440.
device-interval-wrong = Enter a number of minutes from 1 to 1440.
device-no-way = Choose at least one way that this kind of terminal has.
device-poll = It is read every few minutes; needs its address
device-push = ZKTeco: it calls and uploads by itself; needs no address
device-listen = Also listen for punches as they are made
device-set-clock = Set its clock when it is more than 30 s off: outside the shifts, never back over a punch. ZKTeco only
device-enabled = In use: it is read, and people depend on it
device-clear-secrets = Forget the stored password and comm key
device-remove-title = Remove this device
device-remove-text = It is no longer read, and nobody is unknown because of it from now on. Its punches stay, and registering its serial number brings it back.
device-remove = Remove { $name }

## First run
setup-company-title = Your company
setup-company-text = One site is enough to begin; times are shown in its zone.
setup-company = Company
setup-company-hint = As it stands above the pages.
setup-company-missing = Enter the name of the company.
setup-site-hint = The place of the first terminals, e.g. Karachi mill.
setup-site-missing = Enter the name of the site.
setup-zone = Time zone
setup-zone-hint = As terminals and people there read the clock.
setup-zone-wrong = Choose a time zone from the list, e.g. Asia/Karachi.
setup-start = Work starts
setup-end = Work ends
setup-hours-hint = The usual shift. Grace is 10 minutes.
setup-time-wrong = Enter a time like 09:00.
setup-off = Weekly off
setup-shift-name = General
setup-weekly-off-name = Weekly off
continue = Continue
setup-device-title = Add the first device
setup-device-skip = Skip, add devices later
setup-people-title = Who works here?
setup-people-text = Import a CSV file, or enter people one by one. Punches of device users without a person are kept and wait in the mapping inbox.
setup-people-one = Enter one person
setup-people-later = Later, open Today
setup-zone-check = It is { $time } in { $zone }.

## Failures, lists
newer = Newer
older = Older
previous = Previous
next = Next
undo = Undo
date = Date
line = Line
none-yet = none yet

## People
people-count = { $count ->
    [one] { $count } person
   *[other] { $count } people
}
people-empty = Nobody yet. Import people or add the first one.
people-none = Nobody fits this filter.
search-people = Name, code or number ( / )
import-csv = Import CSV
add-employee = Add employee
open-people = Open people
employed-left = left { $date }
employed-joins = joins { $date }
person-code = Code
person-number = Number on terminals
person-username = User name
person-email = E-mail
person-site = Site and zone
person-department = Department
person-shift = Shift
person-managers = Led by
person-signs-in = Signs in as
person-no-account = Make an account
person-from = First day
person-to = Last day
person-days = Days
person-days-sub = newest first
person-days-empty = No day of this month has been judged yet.
raw-punches = Raw punches
raw-punches-sub = as received, newest first, never edited
picture = Picture
raw-punches-empty = No punch in this month. Punches of a device user nobody is mapped to wait in the mapping inbox.
device-time = Device time
method = Method
key = Key
received-after = Received after
suspect = doubtful date
punch-shifted = shifted by { $shift }; the device said { $clock }
shift-hours = { $time } h
shift-days = { $days ->
    [one] 1 day
   *[other] { $days } days
 } { $time } h
known-to = Known to devices
known-to-sub = as which device user
known-to-empty = No device knows this person yet.
match-by-link = by mapping
match-by-device_id = by number on terminals
match-by-code = by code
match-by-username = by user name
verify-unknown = Unknown
verify-password = Password
verify-finger = Finger
verify-card = Card
verify-face = Face
verify-palm = Palm
verify-iris = Iris
verify-combined = Combined
state-in = In
state-out = Out
state-break_out = Break out
state-break_in = Break in
state-overtime_in = Overtime in
state-overtime_out = Overtime out
employee-first-name = First name
employee-last-name = Last name
employee-code-hint = As payroll prints it. Zeros and capitals count.
employee-code-missing = Enter the code.
employee-code-taken = This code is the address of a page. Choose another one.
employee-name-missing = Enter a name.
employee-number-hint = The user number on the terminals, if it is not the code.
employee-username-hint = Optional. Terminals that name people by it are matched.
employee-email-hint = Optional.
employee-department-hint = Choose one, or type a new name. Empty is the general one of the site.
employee-usual = As usual in the company
employee-no-shift = No shift
employee-shift-hint = Without a shift nobody is expected.
employee-site-missing = Choose a site.
employee-from-hint = Empty: since ever.
employee-to-hint = Empty: still employed.
employee-left-before = The last day is before the first day.
weekly-off-days = Weekly off
weekly-off-none = None
week-pattern = Week
week-pattern-none = The same shift every day
week-pattern-hint = A pattern decides the shift of each weekday instead.
date-wrong = Enter a date like 2026-05-06.
import-file = CSV file
import-file-hint = UTF-8, separated by commas, at most 4 MB. Checking stores nothing.
import-columns = Columns
import-columns-hint = Only code is required, in any order. A column that is not in the file changes nothing; an empty cell clears the value, and an empty shift is the usual one. People are found by their code. Dates are written like 2026-05-06.
import-check = Check file
import-refused = The file was not read.
import-checked = What the file changes
import-counts = { $added } new, { $changed } changed, { $unchanged } unchanged
import-errors = { $count ->
    [one] One line has a mistake
   *[other] { $count } lines have mistakes
}
import-errors-sub = Nothing was stored. Correct them and check the file again.
import-effect = Effect
import-adds = New
import-changes = Changes
import-nothing = Nothing: everybody in the file is as it says.
import-confirm = { $count ->
    [one] Import one person
   *[other] Import { $count } people
}
import-not-yet = Nothing has been stored yet.
import-done = Done: { $added } new, { $changed } changed, { $unchanged } unchanged.

## Mapping inbox
inbox-caption = { $users ->
    [one] One device user without a person.
   *[other] { $users } device users without a person.
} { $punches ->
    [one] One punch is kept; mapping counts it back.
   *[other] Their { $punches } punches are kept; mapping counts them back to the first one.
}
inbox-waiting = Waiting
inbox-gone = Device user { $user } waits no more: somebody has mapped it already.
inbox-order = most punches first
inbox-empty = Every punch has its person.
inbox-row = { $device } · { $punches ->
    [one] 1 punch, { $since }
   *[other] { $punches } punches since { $since }
}
inbox-user = Device user { $user } on { $device }
inbox-user-named = name on the device “{ $name }”, first seen { $seen }
inbox-user-unnamed = without a name on the device, first seen { $seen }
inbox-ambiguous = Device user { $user } fits several people. Nobody gets { $punches ->
    [one] this punch
   *[other] these { $punches } punches
} until you choose.
inbox-whose = Whose punches are these?
inbox-same-number = has this number
inbox-close-number = has this number but for zeros or capitals
inbox-same-name = name on the device is the same
inbox-close-name = name on the device is close
inbox-name-begins = name begins alike
inbox-joined = joined { $date }, the day of the first punch
inbox-joined-later = but joined { $date }, after the first punch
inbox-left = left { $date }
inbox-other-number = has the number { $number } on terminals
inbox-else = Somebody else
inbox-search = Name or code
inbox-create = Create employee
inbox-show-changes = Show what changes
inbox-what-changes = What changes when you confirm
inbox-changes = { $days ->
    [0] No report of { $name } would change.
    [one] One workday of { $name }, nothing else.
   *[other] { $days } workdays of { $name }, nothing else.
}
inbox-earlier = and { $count } earlier
inbox-now = Now
inbox-then = Then
inbox-no-report = no report
inbox-map = Map to { $name }
inbox-later = Decide later
inbox-can-be-undone = Can be undone; the raw punches stay as they are.
inbox-mapped = Mapped to { $name }, { $days ->
    [one] one day
   *[other] { $days } days
} changed.
inbox-undone = The mapping is taken back. The punches wait again.

## Roll call
rollcall-sub = who was there while a terminal could not see it
rollcall-none = No roll call yet. Start one when a terminal has failed.
taken-by = Taken by
rollcall-side = What is called
rollcall-side-in = They are here
rollcall-side-out = They have left
rollcall-who = Who is listed
rollcall-not-seen = Not seen yet
rollcall-not-left = Not left yet
rollcall-everybody = Everybody
rollcall-listed = { $listed } listed, of { $roll } on the roll
rollcall-all-seen = Everybody who is due has been seen. Choose Everybody to mark somebody all the same.
rollcall-all-left = Nobody is in.
rollcall-time-hint = When you saw them. Nobody is late by a roll call.
rollcall-time-missing = Enter a time like 09:22.
rollcall-time-to-come = This time is still to come.
rollcall-reason-hint = Required, e.g. Gate 2 has no power.
rollcall-reason-missing = Enter a reason.
rollcall-nobody = Mark at least one person.
rollcall-not-employed = Somebody marked is not employed on that day.
rollcall-mark-here = Mark as here
rollcall-mark-left = Mark as left
rollcall-precedence = A device punch of the day takes precedence; both stay visible.
rollcall-here-at = Roll call, here at { $time }
rollcall-left-at = Roll call, left at { $time }
rollcall-made = { $date } · by { $author }, { $made }
rollcall-called = { $count ->
    [one] One person called
   *[other] { $count } people called
}
rollcall-seen = { $seen } of { $called } seen by a terminal too
rollcall-here = Here
rollcall-left = Left
rollcall-voided = taken back
rollcall-superseded = the device punch takes precedence
rollcall-void-title = Take this roll call back
rollcall-void-text = All its marks stop counting. They stay visible with your reason.
rollcall-void = Take back
correction = Roll call
device-punch = Device punch
first-in-at = in since { $time }
open-day = Open day

# What is done at a terminal
at-terminal = At the terminal
at-terminal-sub = done at once
op-door = Door
op-seconds = seconds
op-open = Open
op-open-door = Open the door
op-door-text = Anybody can walk in. It stays open for as long as the terminal is set to, and who opened it is kept in the audit.
op-open-now = Open the door at { $name }
op-voice = Voice
op-play = Play
op-screen = Screen
op-line = Line
op-text = Text
op-show = Show
op-clear = Clear
op-log = Log
op-clear-log = Clear the log …
op-restart = Restart
op-restart-text = It is away for about a minute, and nobody can punch there meanwhile. Its punches, users and settings stay.
op-restart-now = Restart { $name }
voice-0 = thank you
voice-1 = wrong password
voice-2 = access denied
voice-3 = invalid number
voice-4 = try again
voice-5 = number exists
voice-9 = punched already
voice-10 = beep
voice-11 = long beep
voice-30 = invalid user
voice-33 = illegal access
voice-34 = disk full
operation-said = The terminal says that it is done.
operation-not-read-back = This cannot be read back.
operation-failed = It was not done.
operation-unsure = Nobody can tell whether it was done.
operation-partly = A part of it was done.
operation-unlocked = The terminal says that the door is open for { $secs } s.
operation-door-opened = The terminal says that the door is open, for as long as it is set to.
operation-played = The terminal says that voice { $voice } was played.
operation-shown = The terminal says that the text is in line { $line }.
operation-screen-cleared = The terminal says that the screen is cleared.
operation-restarted = The terminal restarts. It is read again as soon as it answers.
user-created = User { $user } was added.
user-changed = User { $user } was changed.
user-already-so = User { $user } is so already; nothing was written.
user-read-back = The terminal shows: name { $name }, { $privilege }, card { $card }, no password.{ $validity }
user-read-back-password = The terminal shows: name { $name }, { $privilege }, card { $card }, with a password.{ $validity }
user-none = none
user-valid-from = It lets them in from { $from } on.
user-valid-until = It lets them in until { $until }.
user-valid-between = It lets them in from { $from } until { $until }.
face-set = User { $user } has this face now.
face-set-text = The terminal shows that there is one; whose it is, only the terminal can tell. The picture is not kept here.
face-deleted = The face of user { $user } was deleted.
face-deleted-text = The terminal shows none any more.
user-deleted = User { $user } was deleted.
user-deleted-text = { $name } is not in the terminal’s list any more. The punches stay.
log-cleared = { $records ->
    [0] There was nothing to delete.
    [one] 1 record was found in the database and deleted at the terminal.
   *[other] { $records } records were found in the database and deleted at the terminal.
  }
log-cleared-text = { $left ->
    [0] Its log is empty now.
    [one] 1 was recorded since and is still there.
   *[other] { $left } were recorded since and are still there.
  }
privilege-user = user
privilege-enroller = may enrol others
privilege-manager = manager
privilege-admin = admin
privilege-unknown = a privilege that has no name here
users-all = All users
users-none = Nobody is found by this.
search-users = Number or name ( / )
user-add = Add a user
user-add-to = Add to { $device }
user-add-text = The terminal’s list is read back afterwards. A finger or face is enrolled at the terminal.
user-add-face-text = They may pass the door at any time unless you limit it. The terminal’s list is read back afterwards. A face can be uploaded then, a finger is enrolled at the terminal.
user-edit-text = Only what you change is written. The terminal’s list is read back afterwards.
user-title = User { $user }
user-id = Number on the terminal
user-id-hint = Zeros in front count.
user-id-wrong = Enter a number of 1 to 32 characters.
user-exists = User { $user } is on the terminal already. Change them from the list of users.
user-name = Name on the terminal
user-name-hint = How long it may be depends on the model.
user-privilege = Privilege
user-privilege-hint = What they may do in the terminal’s menu.
user-as-it-is = as it is
user-card = Card
user-card-hint = The number of the card. Empty: no card.
user-card-wrong = A card is a number up to 4294967295.
user-cards = Cards
user-cards-hint = The numbers, with commas; zeros in front and case count. Empty: no card.
user-cards-wrong = The number of a card has 1 to 20 characters.
user-valid-from-label = Valid from
user-valid-until-label = Valid until
user-valid-hint = The day counts. Empty: no limit.
user-valid-keep = The day counts. Empty: as it is.
user-valid-wrong = Enter a date.
user-clear-validity = No limits: take the dates away
user-password = Password for the keypad
user-password-hint = Optional, digits.
user-password-keep = Empty: as it is.
user-clear-password = Take the password away
user-save = Save on { $device }
user-admin = admin
user-not-listed = not in the terminal’s list
user-delete = Delete this user
face = Face
face-file = Picture
face-file-hint = A JPEG of at most 200 kB, one face from the front, both eyes and ears visible. It takes the place of the face there is.
face-upload = Upload to { $device }
face-delete = Delete the face
face-delete-text = The terminal does not recognise them by face any more. Card, password and fingerprints stay.
face-delete-from = Delete the face of { $user } from { $device }
user-delete-text = Fingerprints, face, card and password are deleted at the terminal, and nothing brings them back. The punches stay, there and here.
user-delete-from = Delete { $user } from { $device }
clear-log = Clear the log
clear-log-text = All attendance records are deleted at the terminal. What is stored here stays, and no day changes.
clear-log-counted = On the terminal, when last read
clear-log-not-counted = not told
clear-log-records = { $records ->
    [one] 1 record
   *[other] { $records } records
  }
clear-log-kept = Stored here from this terminal
clear-log-punches = { $punches ->
    [one] 1 punch
   *[other] { $punches } punches
  }, { $parked } set aside
clear-log-how = First the whole log is read, stored, and each of its records is looked up in the database. Only then is it cleared, and only if nobody has punched meanwhile. If one record is missing, nothing is deleted. A large log takes minutes.
clear-log-serial = Type { $serial } to confirm
clear-log-serial-hint = The serial number of { $name }.
clear-log-other-serial = This is not the serial number of this terminal. Nothing was deleted.
clear-log-now = Clear the log of { $name }

## Terminals that call
held-title = Terminals that call
held-sub = not registered yet
held-none = No terminal waits for approval.
held-notice = { $count ->
    [one] One terminal waits for approval.
   *[other] { $count } terminals wait for approval.
}
held-notice-text = { $count ->
    [one] It was told to wait and keeps its punches until somebody decides.
   *[other] They were told to wait and keep their punches until somebody decides.
}
held-review = Review
held-terminal = Terminal
held-agent = Program
held-first = First seen
held-calls = Calls so far
held-is-refused = Refused
held-refuse = Refuse
held-take-back = Take back
held-approve = Approve …
held-approve-title = Approve a terminal
held-approve-text = Compare the serial number with the sticker on the terminal: what an approved terminal uploads counts. From its next call on it uploads the punches it has kept.
held-approve-now = Approve { $serial }
held-site-hint = Its clock runs in the zone of the site.
held-no-site = Choose a site.
held-approved = { $name } is registered.
held-approved-text = It uploads what it has kept from its next call on.
held-refused = { $serial } is refused.
held-refused-text = Nothing it sends is taken. Take it back from the list if this was a mistake.
held-taken-back = { $serial } waits for approval again.
held-taken-back-text = Nothing it sends is taken before it is approved.
held-gone = { $serial } is not in the list any more.
held-gone-text = It was registered, or has not called for long. It appears again when it calls.
call-how = To have a terminal call, enter { $places } in its menu (Comm. › Cloud server, on some models ADMS).
call-how-unknown = To have a terminal call, enter the address of this server, and the port on which Muster listens to terminals, in its menu (Comm. › Cloud server, on some models ADMS).
call-how-secret = The path secret of muster.toml stands behind the address and port.
call-place-any = the address of this server and port { $port }
call-place = { $address } and port { $port }
call-place-or = { $first }, or { $second }
place = Events by push
place-sub = it posts them to us as they happen
place-told = Its slot { $slot } posts to { $address }.
place-failed = It cannot be told to call us: { $why }
place-not-told = It has not been told to call us yet; that happens after its next reading.
place-by-hand = It has no address here, so nobody can tell it: enter the URL on the terminal's own page (Network › HTTP listening).
place-last-event = Last event
place-last-heartbeat = Last heartbeat
place-told-at = Told at
place-checked = Looked at
place-hardware = Hardware address
place-never = none yet
place-url = URL
place-url-text = Whoever knows this URL can tell punches in the name of this terminal.
place-this-server = ADDRESS-OF-THIS-SERVER
place-tell = Tell it now
place-tell-done = { $name } posts its events to us.
place-tell-done-text = What it has stored was read back and compared.
place-tell-failed = It could not be told.
place-renew = Renew the URL
place-renewed = { $name } has a new URL.
place-renewed-text = What is posted to the old one is refused. A terminal with an address here is told the new one when it is next read.
place-stop = Stop
place-stopped = { $name } posts its events no more.
place-stopped-text = Its slot is empty again; it is read as before.
place-not-stopped = It could not be told to stop.
place-not-stopped-text = It is not reached now. What it posts is refused, and it is told when it is reached again.
calls = Calls
calls-sub = it connects to us and uploads
calls-none = It has not called yet.
calls-last = Last call
calls-from = Called from
calls-own-address = Its own address
calls-speaks = Speaks
calls-every = Told to call every
calls-one-by-one = Commands
calls-one-by-one-text = one at a time, because it lost some that were given together
calls-holds = Records
calls-not-told = it has not told how many it holds
calls-records = { $records } on the terminal at { $time }, { $kept } kept here
calls-records-missing = { $records } on the terminal at { $time }, { $kept } kept here: { $missing } more are asked for
uploads = Uploads
uploads-of = Content
upload-lines = Lines
upload-new = New punches
upload-known = Known
upload-last = Last
upload-repeated = the same { $times } times in a row
call-notice-times = { $times } times since { $time }
call-notice-another_network = It called from another network
call-notice-cannot_check = What it holds cannot be checked
call-notice-unknown_table = It uploads something that this version does not know
call-notice-key_exchange = It asks for encryption that this version does not have
call-notice-log_cleared = Its log was cleared at the terminal
call-notice-clock_set = Its clock was set at the terminal
call-notice-factory_reset = It was reset to its factory settings
call-notice-server_changed = Its server address was changed at the terminal
call-notice-wrong_key = It called with a wrong comm key
call-notice-another_hardware = Another terminal calls at its place
call-notice-events_missing = Events are missing
call-notice-told_again = It had forgotten whom to call, and was told again
call-notice-not_understood = It tells something that this version does not understand
call-notice-other_product = It is another product than it is registered as
orders = Commands
orders-sub = fetched by its next call
at-next-call = At its next call
at-next-call-sub = it fetches this when it calls
order-what = Command
order-by = By
order-by-muster = Muster
order-by-command-line = command line
order-given-at = Given
order-sent-at = { $times ->
    [one] fetched { $time }
   *[other] fetched { $times } times, last { $time }
}
order-is-held-back = Held back: its log is checked first
order-is-waiting = Waiting
order-is-sent = Fetched, not answered yet
order-is-done = Done
order-is-failed = Failed
order-is-unanswered = Never answered
order-is-withdrawn = Withdrawn
order-code = code { $code }
order-withdraw = Withdraw
order-withdrawn = The command is withdrawn.
order-withdrawn-text = The terminal has not fetched it.
order-too-late = It is too late to withdraw it.
order-too-late-text = The terminal has fetched the command, or it has ended.
order-given = Given: { $what }.
order-given-text = The terminal fetches it when it calls next. What it answers is listed under Commands.
order-not-given = The command was not given.
order-dates-wrong = Choose a first and a last day, the first not after the last.
order-key-wrong = The name of a setting has letters, digits and _ ~ . - only, at most 64.
order-value-wrong = The value of a setting is at most 200 letters in one line.
order-unknown = Given by another version of Muster
order-set-user = Write user { $user }
order-delete-user = Delete user { $user }
order-list-users = Upload its users
order-read-log = Upload its log from { $from } to { $to }
order-read-log-whole = Upload its whole log
order-count-log = Count its log from { $from } to { $to }
order-count-log-whole = Count its whole log
order-set-clock = Set its clock
order-set-option = Set { $key }
order-set-option-to = Set { $key } to { $value }
order-tell-state = Tell what it holds
order-recheck = Read again how to upload
order-upload-new = Upload what is new
order-restart = Restart
order-unlock = Open the door for { $secs } s
order-clear-log = Clear its log
order-days = Days
order-users-text = all it has
order-users-now = Read users
order-from = First day
order-to = Last day
order-log-now = Upload these days
order-new = New
order-new-text = what it has not uploaded yet
order-upload-now = Upload
order-check = Check
order-check-text = how it is to upload
order-check-now = Check again
order-option = Setting
order-key = Name
order-value = Value
order-option-now = Set
order-clock-text = the time of this server
order-clock-now = Set the clock
user-order-text = Only what you enter is written, when the terminal calls next. What it answers is listed under Commands on its page. A finger or face is enrolled at the terminal.
clear-log-how-calls = First the terminal uploads its whole log, and then it counts it. Only when everything it counted is stored here, and nobody has punched meanwhile, it is told to clear it. If one record is missing, nothing is deleted. Commands on its page show how far it is.
parked-each = Record by record
parked-record = Record
parked-first = First seen
parked-empty = Nothing of this terminal is set aside.
parked-again = Try again
parked-understood = { $records ->
    [one] 1 record is understood now.
   *[other] { $records } records are understood now.
}
parked-nothing = Nothing of it is understood by this version.
parked-left = { $left ->
    [0] Nothing is set aside any more.
    [one] 1 record stays set aside.
   *[other] { $left } records stay set aside.
}

## Why a day reads as it does
why-title = Why { $date } is { $letter }
why-title-open = Why { $date }
why-page = Open as a page
why-json = JSON
why-rules = Rules { $rules }
why-not-employed = Not employed
why-no-report = Nobody has judged this day yet. Below is what is known of it.
why-outside-employment = Not employed on this day, so there is no report.
why-worked = worked { $minutes }
why-no-overtime = overtime none
why-overtime = overtime { $minutes }
why-night = { $minutes } at night
why-late-by = late { $minutes }
why-in-at = in { $time }
why-out-at = out { $time }
why-not-due = No punch yet, and nobody is due before { $due }.
why-not-arrived = No punch yet. Due until { $due }, and the terminals have been read since then.
why-no-device = No terminal could have seen this person on this day.
why-not-covered = No punch, and not every terminal has been read.
why-not-read-since = No punch so far, and { $device } has not been read since { $time }. It becomes present or absent by itself once it is read.
why-never-read = No punch so far, and { $device } has never been read. It becomes present or absent by itself once it is read.
why-absent = No punch from { $from } to { $to }, and every terminal that could have seen this person has been read up to then.
why-holiday = A holiday: nothing was planned, and nobody was there.
why-holiday-seen = A holiday, and there are punches all the same. Their time is shown as worked.
why-off = Off by roster: nothing was planned.
why-off-seen = Off by roster, and there are punches all the same. Their time is shown as worked.
why-leave = On leave for the whole day.
why-leave-seen = On leave for the whole day, and there are punches all the same. Leave wins; nothing of it becomes overtime.
why-duty = On duty elsewhere for the whole day: it counts with the planned time at least.
why-late = First in { $found } is after { $limit } (start { $planned } and the grace), so the day counts as late by { $minutes }.
why-early = Last out { $found } is before { $limit } (end { $planned } less the grace), so this is leaving early by { $minutes }.
why-on-time = First in { $found } is not after { $limit }, so it is on time.
why-seen = Seen by a terminal or called present.
why-because-half_day_below = Worked { $found }, which is less than { $limit }, so it is half a day.
why-because-half_day_if_late_over = Late { $found }, which is more than { $limit }, so it is half a day.
why-because-absent_below = Worked { $found }, which is less than { $limit }, so it counts as absent.
why-because-absent_if_late_over = Late { $found }, which is more than { $limit }, so it counts as absent.
why-exception-missing_in = There is no entry, so worked time is unknown. Somebody has to look.
why-exception-missing_out = There is no exit, so worked time is unknown. Somebody has to look.
why-exception-off_shift = A punch lies outside what was planned.
why-exception-leave_conflict = Punches contradict the leave.
why-exception-direction_conflict = Entries and exits do not fit one another: somebody may have pressed a wrong key.
why-exception-roll_call_conflict = A roll call says otherwise than the terminal. The terminal’s time stands.
why-exception-unpaired = One punch has no partner, so the time from the first to the last counts.
why-exception-long_session = The time between entry and exit is unusually long.
why-stage-provisional = The day is open until { $closing }.
why-stage-final_without_coverage = Not every terminal was read in time, so nobody becomes absent by this day. A later reading corrects it.
why-known-at = As known at { $at }. The report had read so since { $judged }.
why-nothing-known = As known at { $at }: there was no report of this day yet.
why-closed = The period is closed: this day stands as it was, and nothing can be corrected.
why-closed-changes = The period is closed: this day stands as it was. Today’s evidence differs in { $fields }.
why-differs-now = The evidence has changed since: judged again, { $fields } would differ ({ $derived }). It is on its way.
why-differs-then = Derived again from what is stored today, { $fields } differ ({ $derived }). Evidence has been rewritten or completed since: a zone, a mapping, the roster, or how far a terminal was read.
why-plan-off = Nothing planned.
why-plan-undecided = No shift: none of { $shifts } fits the punches.
why-plan-core = core { $span }
why-plan-from-override = Set for this day alone.
why-plan-from-weekly-off = From the weekly-off pattern.
why-plan-from-cycle = From the rotation.
why-plan-from-week = From the week of the roster.
why-plan-from-nothing = The roster has nothing for this day.
why-plan-chosen = Chosen by the punch of { $punch }: { $distances }.
why-plan-distance = { $shift } begins { $away } away
why-plan-planned = Planned { $minutes }.
why-window = Punches count from { $from } to { $to }.
why-window-clipped = Its window is { $opening } to { $closing }; beside the neighbouring shift punches count from { $from } to { $to }.
why-break = break { $span }
why-break-paid = paid break { $span }
why-break-auto = { $minutes } break after { $after }
why-break-punched = { $minutes } break to be punched within { $span }
why-punches-none = Punches: none
why-punches = Punches: { $used } used, { $ignored } ignored
why-punches-beside = Punches: { $used } used, { $beside } between, { $ignored } ignored
why-source-added = Added
why-source-roll_call = Roll call
why-use-first_in = Used as first in
why-use-last_out = Used as last out
why-use-pair = Used in a pair
why-use-between = Between first in and last out
why-use-passed_over = Passed over: no partner in its direction
why-ignored-debounced = Ignored: repeat within { $seconds } s of { $time }
why-ignored-superseded = Superseded by the punch of { $time }
why-ignored-call = Superseded by another call
why-ignored-duplicate = Ignored: the same punch, seen again
why-ignored-voided = Voided
why-ignored-voided-by = Voided by { $author }: { $reason }
why-ignored-suspect = Set aside: the clock of the terminal was wrong
why-ignored-quarantined = Set aside: its time cannot be right
why-ignored-off_shift = Ignored: outside the window of the shift
why-ignored-outside_employment = Ignored: not employed on this day
why-key = key { $state }
why-clock = clock { $clock } { $zone }
why-clock-shifted = recorded { $recorded }, shifted to { $clock } { $zone }
why-received = received { $after } later
why-by = by { $author }: { $reason }
why-worked-title = Worked time: { $minutes }
why-counted = counts
why-credited = credited for the half on duty
why-deducted-R48 = taken out: between the parts of the shift
why-deducted-R51 = taken out: break of the shift
why-deducted-R52 = taken out: break after the hours set
why-deducted-R53 = taken out: break, as punched or planned
why-deducted-R54 = taken out: outside the planned time
why-limits = Thresholds
why-limits-none = Nothing was compared yet.
why-limit-late = Late
why-limit-early = Left early
why-limit-absent_below = Absent
why-limit-half_day_below = Half day
why-limit-absent_if_late_over = Absent if late
why-limit-half_day_if_late_over = Half day if late
why-limit-long_session = Long session
why-limit-half_leave_conflict = Leave conflict
why-limit-overtime_after_end = Overtime
why-limit-overtime_before_start = Overtime before the start
why-limit-overtime_over_planned = Overtime
why-compared-late = after { $limit }; first in { $found }
why-compared-early = before { $limit }; last out { $found }
why-compared-absent_below = under { $limit }; worked { $found }
why-compared-half_day_below = under { $limit }; worked { $found }
why-compared-absent_if_late_over = over { $limit }; late { $found }
why-compared-half_day_if_late_over = over { $limit }; late { $found }
why-compared-long_session = over { $limit }; { $found } between entry and exit
why-compared-half_leave_conflict = over { $limit }; worked { $found } in the half on leave
why-compared-overtime_after_end = over { $limit }; worked { $found } after the end
why-compared-overtime_before_start = over { $limit }; worked { $found } before the start
why-compared-overtime_over_planned = over { $limit }; worked { $found } more than planned
why-setting = { $name } is { $value }, usually { $usual }.
why-coverage = Coverage
why-coverage-whole = read up to { $time }
why-coverage-part = read up to { $time }, needed up to { $needed }
why-coverage-never = never read, needed up to { $needed }
why-gap = Not read from { $from } to { $to }.
why-gap-open = Not read from { $from } on.
why-gap-undecided = A punch at { $time } may be this person’s: it waits in the mapping inbox.
why-calendar = Leave, holiday, correction
why-day-holiday = Holiday.
why-day-leave = On leave.
why-day-on_duty = On duty.
why-nothing-said = None on this day.
why-said-add = Punch { $time } added by { $author }, { $made }: { $reason }
why-said-void = Punch { $time } voided by { $author }, { $made }: { $reason }
why-said-restore = Void of { $time } taken back by { $author }, { $made }: { $reason }
why-said-void-entry = Entry { $time } taken back by { $author }, { $made }: { $reason }
why-said-roll-call = Roll call { $time } by { $author }, { $made }: { $reason }
why-history = History of this result
why-history-none = Nothing was judged yet.
why-version-gone = No report any more
why-version-changed = changed { $fields }
why-known = As known at
why-known-show = Show
why-known-wrong = Enter a date and time like 2026-03-04T10:00.
why-known-now = Back to now
cause-punch = because of a punch
cause-correction = because of a correction
cause-coverage = a terminal was read
cause-time = because time passed
cause-opened = the day began
cause-mapping = because of a mapping
cause-leave = because of leave
cause-holiday = because of a holiday
cause-policy = because the rules changed
cause-gap = because a terminal was not read
cause-other = because of: { $cause }
field-status = status
field-stage = stage
field-reason = reason
field-shift = shift
field-first_in = first in
field-last_out = last out
field-planned_min = planned time
field-worked_min = worked time
field-late_min = lateness
field-early_min = leaving early
field-overtime_min = overtime
field-night_min = night time
field-overtime_levels = overtime levels
field-exceptions = exceptions
field-pending = what is missing
field-leave_part = leave
field-changes_after_close = changes after close
field-other = something else

## The page of a person
calendar-in = { $time }, in
calendar-out = { $time }, out
calendar-keys = Arrow keys move between days
previous-month = Previous month
next-month = Next month
twelve-months = Twelve months
strip-caption = { $late ->
    [0] no late day
    [one] 1 late day
   *[other] { $late } late days
}, { $absent } absent
totals = Totals of the month
totals-late = late { $days } ({ $minutes })
total-worked_min = Worked
total-late_min = Late
total-early_min = Left early
total-overtime_min = Overtime
total-night_min = Night
use = Use
use-first_in = used, first in
use-last_out = used, last out
use-pair = used in a pair
use-between = between in and out
use-passed_over = passed over
use-voided = voided
use-quarantined = set aside
use-duplicate = seen again
use-debounced = repeat
use-off_shift = outside the window
use-superseded = superseded
use-outside_employment = not employed

## Corrections
correct-add = Add punch
correct-add-text = A punch that no terminal recorded, in the time of the site. It stands beside what the terminals recorded and never replaces it.
correct-void = Void punch
correct-void-short = Void
correct-void-of = Void the punch of { $time }
correct-void-text = It counts no more, and stays visible with your reason. What the terminal recorded is not changed.
correct-restore = Restore punch
correct-restore-short = Restore
correct-restore-of = Restore the punch of { $time }
correct-restore-text = It counts again as before it was voided. The void stays visible, and so does your reason.
correct-date-hint = After midnight the date after.
correct-date-far = Choose this day, or the day before or after.
correct-time-hint = As it was, e.g. 18:02.
correct-time-missing = Enter a time like 18:02.
correct-state-hint = Only if it is known whether it was coming or going.
correct-reason-hint = Shown with the day, with your name.
correct-preview = Show what changes
correct-preview-again = Show again
correct-changes = What the days become
correct-no-change = Nothing changes by this.
correct-closed = The period of this day is closed, so nothing on it can be corrected. An owner can open it again.
correct-added = Punch { $time } is added.
correct-voided = Punch { $time } is voided.
correct-restored = Punch { $time } counts again.
correct-undone = The punch is taken back.
correct-judged = The day is judged again in a moment.
correct-can-be-undone = Was it a mistake? Both entries stay visible.
correct-undo = Undo
correct-undo-reason = taken back right after it was entered

## Coverage of a device, as a person declares it
coverage = Coverage
coverage-gaps = Not read
coverage-gaps-sub = newest first
coverage-gaps-none = Nothing is missing between the first and the last reading.
coverage-back = Back to the day
coverage-declare-this = Declare covered
coverage-declare = Declare a time covered
coverage-declare-text = Say so if nothing is missing in a time that was not read: the door was locked, or its punches are known from elsewhere. Who has no punch then becomes absent instead of unknown.
coverage-from = From
coverage-to = Until
coverage-since = Gone since
coverage-zone = { $zone }
coverage-to-hint = Not later than now.
coverage-reason-hint = Why nothing is missing; it is shown with your name.
coverage-declare-now = Declare covered
coverage-can-be-withdrawn = It can be withdrawn later.
coverage-declarations = Declarations
coverage-declarations-none = Nothing was declared of this device.
coverage-declared = The time is declared covered for { $device }.
coverage-declared-row = { $from } to { $to }: { $reason }
coverage-declared-by = by { $author }, { $made }
coverage-withdraw = Withdraw
coverage-withdrawn = The declaration is withdrawn.
coverage-withdrawn-at = withdrawn { $time }
coverage-judged = The days concerned are judged again in a moment.
coverage-time-wrong = Enter a date and time like 2026-03-04T10:00.
coverage-to-wrong = Only a time that has passed can be declared covered, and it must end after it begins.
coverage-gone = The device is gone
coverage-gone-text = From that instant on it could have seen nobody, and it is not read any more. Its punches stay, and registering its serial number brings it back.
coverage-gone-hint = What became of it.
coverage-gone-now = Declare it gone
coverage-is-gone = { $device } is declared gone.
not-read-ever = never read
gap-contact = no contact
gap-clock = its clock was wrong
gap-lost = its log lost records
why-declare = Declare covered
## Month sheet, files, payroll
nav-month = Month
nav-reports = Reports
nav-set-up = Set up
weekday-letter-1 = M
weekday-letter-2 = T
weekday-letter-3 = W
weekday-letter-4 = T
weekday-letter-5 = F
weekday-letter-6 = S
weekday-letter-7 = S
month-year = { $month } { $year }
month-title = Attendance, { $month }
month-caption = Attendance by person and day, { $month }
month-scope-all = { $count ->
    [one] all departments, 1 person
   *[other] all departments, { $count } people
}
month-scope-department = { $count ->
    [one] { $department }, 1 person
   *[other] { $department }, { $count } people
}
month-draft = { $count ->
    [0] Draft
    [one] Draft: 1 open exception
   *[other] Draft: { $count } open exceptions
}
month-printed = printed { $time }
month-end = Month end
month-exceptions = { $count ->
    [0] No open exceptions
    [one] 1 open exception
   *[other] { $count } open exceptions
}
month-exceptions-of = { $count ->
    [one] of 1 person
   *[other] of { $count } people
}
month-nothing-to-decide = nothing waits for a decision
month-no-exceptions = No open exceptions.
month-empty = Nobody is employed here in this month.
month-changes = { $count ->
    [0] No changes
    [one] 1 change
   *[other] { $count } changes
}
month-changes-since = since the export of { $date }
month-not-exported = Not exported yet
month-not-exported-hint = changes are listed after it
month-closed-on = Closed on { $date }
month-changed-after = { $count ->
    [0] no changes after close
    [one] 1 change after close
   *[other] { $count } changes after close
}
month-not-closed = Not closed
month-sheets-closed = { $locked } of { $count } daily sheets closed
print = Print
show = Show
show-everybody = Show everybody
export = Export
month = Month
day = Day
sheet-p = P
sheet-hd = HD
sheet-a = A
sheet-lv = LV
sheet-od = OD
sheet-wo = WO
sheet-h = H
sheet-u = U
sheet-late = Late
sheet-late-min = min
sheet-overtime = OT h
legend-present = present
legend-late = late
legend-half_day = half day
legend-absent = absent
legend-on_leave = leave
legend-on_duty = on duty
legend-weekly_off = weekly off
legend-holiday = holiday
legend-missing = missing in or out
legend-half = half a day of it
legend-unknown = unknown
legend-not_employed = not employed
person-keys = Keys: P add punch, W why, [ and ] month.
timecard = Time card, { $month }
timecards = Time cards, { $month }
timecard-link = Time card
timecards-link = Time cards
timecard-closed = Closed
timecard-late-days = Late
timecard-letter = Short form
timecard-signed = Signature of the employee
signature-prepared = Prepared by (HR)
signature-checked = Checked by (department)
signature-approved = Approved by
payroll = Payroll
payroll-hint = a file by your own columns and codes
payroll-export = Payroll export
payroll-needs-decisions = exceptions have to be decided or waived
payroll-ready = nothing is open
payroll-no-profile = No payroll file has been described yet.
payroll-check = Check
payroll-period = { $from } to { $to }
payroll-lines = { $count ->
    [one] 1 line
   *[other] { $count } lines
}
payroll-last = last handed over { $time }
payroll-open = { $count ->
    [one] 1 day is open.
   *[other] { $count } days are open.
}
payroll-open-hint = Decide them first, or say below why the file is handed over all the same.
payroll-because = Why open days do not matter
payroll-because-hint = Kept with the file and in the audit log, with the name of { $name } and every open day.
payroll-export-anyway = Waive and hand over
payroll-hand-over = Hand over
payroll-changes = { $count ->
    [0] No line has changed since the last export
    [one] 1 line has changed since the last export
   *[other] { $count } lines have changed since the last export
}
payroll-other-columns = The profile had other columns then, so the two cannot be compared.
payroll-change = Change
payroll-preview = { $count ->
    [one] The first line
   *[other] The first { $count } lines
}
payroll-done = The payroll file is kept.
payroll-done-text = { $lines ->
    [one] { $profile }, 1 line. Load it below.
   *[other] { $profile }, { $lines } lines. Load it below.
}
payroll-refused = Nothing was handed over.
payroll-refused-text = { $count ->
    [one] 1 day is open. Decide it, or say why it does not matter.
   *[other] { $count } days are open. Decide them, or say why they do not matter.
}
payroll-exports = Handed over
payroll-exports-hint = each file as it was, byte for byte
payroll-waived = { $count ->
    [one] 1 open day waived by { $by }: { $because }
   *[other] { $count } open days waived by { $by }: { $because }
}
open-not-final = Not final yet
open-uncoded = No column or code for { $what }
correction-kind-before = Before
correction-kind-after = Now
correction-kind-new = New
correction-kind-gone = Gone
export-made = Made
export-period = Period
export-lines = Lines
export-by = By
export-hash = SHA-256
export-files = Files
export-corrections = Corrections
files = Files
files-hint = for Excel and other programs
file-month = Month sheet
file-day = Day
file-timecard = Time card
file-punches = Punches
profile = Payroll profile
profile-new = New profile
profile-edit = Edit the profile
profile-name = Name
profile-begins-on = A period begins on day
profile-begins-on-hint = 21 for May is 21 April to 20 May.
profile-columns = Columns
profile-columns-hint = in the order of the file, with the headings your payroll program expects
profile-heading = Heading
profile-field = Content
profile-codes = Codes
profile-codes-hint = with a column code or amount the file has a line for each code of a person; entries of one code add up
profile-code = Code
profile-of = Of
profile-unit = Unit
profile-save = Save profile
profile-spare = Save to get more empty lines.
profile-needs-name = The profile needs a name.
unit-days = days
unit-hours = hours
unit-minutes = minutes
all-sites = All sites

## Rules
nav-planning = Shifts and roster
nav-settings = Settings
refused-last-owner = It is the only account of an owner who can sign in. Make another owner first.
refused-closed = { $day } is closed, so nothing was stored. An owner can open its period again.
rules = Rules
rules-whose = Whose rules
rules-open = Open
rules-open-person = Open one person
rules-nobody = Nobody has the code { $code }.
rules-company = Whole company
rules-department = { $site } · { $department }
rules-text = What is left empty is as the wider level says: company, then site, department, person. The values of a shift win over all of them.
rules-set-at = Something is set for
rules-default = default
rules-not-set = not set
rules-save = Save these rules
rules-save-hint = Every day that is not closed is judged again, past ones too.
rules-keep = Leave them as they are
rules-saved = Saved the rules: { $name }.
rules-saved-text = Days that read otherwise change within moments.
rules-no-number = Enter a whole number, or nothing.
rules-no-number-or-none = Enter a whole number, “none”, or nothing.
rules-no-numbers = Enter rising whole numbers like 120, 240, or “none”.
rules-no-choice = Choose one of the list.
rules-no-time = Enter a time like 05:30.
rules-no-month = Choose the month to look at.
rule = Rule
rule-here = Here
rule-else = Otherwise
rule-as-wider = As otherwise
what-if = What these rules would change
what-if-count = { $count ->
    [0] No day of { $month } would read otherwise.
    [one] One day of { $month } would read otherwise.
   *[other] { $count } days of { $people ->
        [one] one person
       *[other] { $people } people
    } in { $month } would read otherwise.
}
what-if-what = What differs
what-if-month = Try them on
what-if-show = Show what changes
what-if-hint = Nothing is saved by looking.
changed-value = { $what } { $from } → { $to }
changed-stage = Stage
changed-reason = Reason
changed-shift = Shift
changed-first_in = First in
changed-last_out = Last out
changed-planned_min = Planned
changed-worked_min = Worked
changed-late_min = Late
changed-early_min = Left early
changed-overtime_min = Overtime
changed-night_min = Night
changed-overtime_levels = Overtime levels
changed-exceptions = Exceptions
changed-pending = Pending
changed-leave_part = Leave
changed-changes_after_close = Changes after close
rules-punches = Punches
rules-workday = Which workday a punch counts for
rules-lateness = Late and early
rules-thresholds = Half day and absent
rules-worked = Worked time
rules-overtime = Overtime
rules-leave = Leave and holidays
rules-finality = When a day is final
rule-punch_policy = Worked time is
rule-debounce_s = Punches closer than this many seconds are one; 0 is off
rule-clock_min = Punches before this date are quarantined
rule-future_limit_min = Punches this many minutes ahead of their arrival are quarantined
rule-window_before_min = Minutes before a shift that belong to it
rule-window_after_min = Minutes after a shift that belong to it
rule-tie_break = Where two shifts overlap, a single punch
rule-day_start = Start of an off day and of a flexible day
rule-auto_shift_max_min = Farthest start of a shift that is chosen by the first punch, minutes
rule-grace_in_min = Minutes late that are tolerated
rule-late_count_from = Lateness counts from
rule-grace_out_min = Minutes early that are tolerated
rule-early_count_from = Early leaving counts from
rule-half_day_below_pct = Half day below this percentage of the plan; 0 is off
rule-absent_below_pct = Absent below this percentage of the plan; 0 is off
rule-half_day_below_min = Half day below these worked minutes, instead of the percentage
rule-absent_below_min = Absent below these worked minutes, instead of the percentage
rule-half_day_if_late_over_min = Half day if late by more than these minutes
rule-absent_if_late_over_min = Absent if late by more than these minutes
rule-count_before_start = Time before the start counts
rule-count_after_end = Time after the end counts
rule-unpunched_break = A break that was not punched takes
rule-round_unit_min = Round in and out to this many minutes; 0 is off
rule-round_in = Round the start
rule-round_out = Round the end
rule-night_start = Night begins
rule-night_end = Night ends
rule-long_session_min = A session longer than these minutes is an exception
rule-overtime = There is overtime
rule-overtime_basis = Overtime is
rule-overtime_after_min = Only more than these minutes are overtime
rule-overtime_before_min = More than these minutes before the start are overtime, too
rule-overtime_count_from = Overtime counts from
rule-overtime_round_min = Round overtime to this many minutes; 0 is off
rule-overtime_round = Round overtime
rule-overtime_levels_min = Upper limits of the overtime levels, minutes
rule-off_day_overtime = Work on an off day is overtime
rule-half_leave_conflict_min = More than these minutes worked in a half on leave are an exception
rule-leave_over_off_days = Leave counts on off days, too
rule-holiday_over_weekly_off = A holiday on a weekly off is a holiday
rule-final_fallback_min = Minutes to wait for a device that is not read
rule-coverage_lag_min = Minutes by which readings normally lag
rule-is-first_last = first in to last out
rule-is-pairs = the sum of pairs
rule-is-open_session = closes the open one
rule-is-cut = goes by the middle
rule-is-start = the start
rule-is-grace = the grace
rule-is-end = the end
rule-is-planned = its planned minutes
rule-is-none = nothing
rule-is-nearest = to the nearest
rule-is-up = up
rule-is-down = down
rule-is-after_end = time after the end
rule-is-over_planned = time over the plan
rule-is-threshold = the threshold
rule-is-true = yes
rule-is-false = no

## Shifts and their patterns
shifts = Shifts
shifts-empty = No shifts yet.
shift-add = Add shift
shift-needs-name = Enter a name.
shift-name-hint = As files and people call it, like DAY.
shift-form = Hours
shift-form-hint = Only the part below that belongs to it counts.
shift-fixed = Fixed times
shift-fixed-sub = one line for each part of the day
shift-flexible = Flexible
shift-flexible-sub = no fixed times, only minutes to work
shift-flexible-hours = Flexible, { $hours }
shift-start = Start
shift-end = End
shift-times = Times
times-span = { $from }–{ $to }
shift-times-hint = Times like 09:00. An end before its start is on the next day, so a night shift is 22:00 to 06:00. Empty lines are left out.
shift-times-wrong = Enter times like 09:00, both of them.
shift-needs-segment = Enter when the shift starts and ends.
shift-needs-required = Enter the minutes to work, like 480.
shift-required = Minutes to work
shift-core-start = Core time from
shift-core-end = Core time to
shift-core-hint = When everybody has to be there; empty is never.
shift-each = With several parts
shift-each-yes = people punch in and out in each
shift-each-no = people punch only at the beginning and at the end
shift-breaks = Breaks
shift-breaks-sub = a line for each; empty ones are left out
shift-break-wrong = A break is not complete: a fixed one needs start and end, an automatic one both minutes, a punched one start, end and minutes.
shift-rules = Own rules
shift-rules-count = { $count ->
    [one] one rule
   *[other] { $count } rules
}
shift-own-rules = Rules of this shift alone
break-kind = Break
break-kind-unpaid = fixed, unpaid
break-kind-paid = fixed, paid
break-kind-auto = automatic
break-kind-punched = punched
break-after-min = After minutes of work
break-minutes = Minutes
break-unpaid = { $span }
break-paid = { $span } paid
break-after = { $minutes } after { $after }
break-within = { $minutes } within { $span }, punched
weeks = Weeks
weeks-sub = a shift for each weekday
weeks-empty = No week patterns.
week-add = Add week
rotations = Rotations
rotations-sub = days that repeat
rotations-empty = No rotations.
rotation-add = Add rotation
rotation-days = Days
rotation-hint = One line for each day; after the last the first comes again. Whoever works it has the date of the first day.
rotation-needs-day = Enter at least one day.
offs = Weekly offs
offs-sub = days off whatever the week or rotation says
offs-empty = No weekly offs.
off-add = Add weekly off
off-every = every
off-which-1 = 1st
off-which-2 = 2nd
off-which-3 = 3rd
off-which-4 = 4th
off-which-5 = 5th
off-nth-1 = 1st { $weekday }
off-nth-2 = 2nd { $weekday }
off-nth-3 = 3rd { $weekday }
off-nth-4 = 4th { $weekday }
off-nth-5 = 5th { $weekday }
days = Days
pattern-day-wrong = Day { $day }: { $why }
plan-hint = Each day is the name of a shift, several like EARLY+LATE, “auto EARLY+LATE” for a choice by the first punch, or “off”.
planning-saved = Saved { $name }.

## Roster, holidays and leave
roster = Roster
week = Week
previous-week = Previous week
next-week = Next week
previous-year = Previous year
next-year = Next year
roster-legend = * on this day alone
roster-off = off
roster-auto = auto { $shifts }
roster-not-employed = –
roster-first-on_leave = On leave, first half
roster-second-on_leave = On leave, second half
roster-first-on_duty = On duty, first half
roster-second-on_duty = On duty, second half
roster-change = Change the plan from a date on
roster-change-text = Choose people above. What they worked before that date stays as it is.
roster-nobody = Choose somebody in the table.
roster-from = From
roster-from-hint = Until the next change, if there is one.
rotation = Rotation
roster-anchor = First day of the rotation
roster-anchor-hint = Empty is the date of the change.
roster-change-do = Change plan
roster-take-back = Take back
roster-changed = { $count ->
    [one] Changed the plan of one person.
   *[other] Changed the plan of { $count } people.
}
roster-planned = Planned:
roster-single = for this day alone
roster-instead = On this day instead
roster-on-holiday = Worked even if it is a holiday
roster-set-day = Set this day
roster-as-planned = As planned again
roster-plan-missing = Enter a shift or “off”.
roster-day-set = Set { $day }.
roster-changes = Changes of the plan
roster-plan = Plan
roster-rotation = { $name } beginning on { $day }
calendar = Calendar
calendar-remove = Remove
calendar-closed-stay = Closed days stay as they are.
calendar-closed-stayed = { $count ->
    [one] { $count } closed report of that day stays as it is; what differs is listed where its month is closed.
   *[other] { $count } closed reports of that day stay as they are; what differs is listed where their month is closed.
}
import-closed = { $count ->
    [one] { $count } report on these days is closed and stays as it is.
   *[other] { $count } reports on these days are closed and stay as they are.
}
calendar-holiday-added = Added the holiday.
calendar-holiday-removed = Removed the holiday.
calendar-leave-added = Added to the calendar.
calendar-leave-removed = Removed from the calendar.
calendar-type-saved = Saved the type of leave.
holidays = Holidays
holidays-none = No holidays in this year.
holiday-add = Add holiday
leave-and-duty = Leave and duty elsewhere
leave = Leave
leave-none = Nobody is away in this year.
leave-more = There is more; look at one person.
leave-kind = Kind
leave-type = Type
leave-from = First day
leave-to = Last day
leave-to-hint = Empty is the first day.
leave-part = Part of the day
leave-full = whole days
leave-first-half = first half
leave-second-half = second half
leave-add = Add leave
leave-types = Types of leave
leave-types-sub = what payroll calls them
leave-type-add = Add type
leave-code = Code
leave-paid = paid
import-roster = Import roster
import-roster-hint = code, day and plan are required. “to” is the last day of several. A plan is the name of a shift, several like EARLY+LATE, “auto EARLY+LATE”, or “off”; an empty one takes the day back. on_holiday is yes or no.
import-holidays = Import holidays
import-holidays-hint = day and name are required; without a site it is a holiday everywhere. Dates are written like 2026-05-06.
import-leave = Import leave
import-leave-hint = code and from are required. kind is leave or on_duty; part is full, first_half or second_half; type is the name or code of a type of leave.
import-planning-nothing = Nothing: everything in the file is there already.
import-planning-confirm = { $count ->
    [one] Import one change
   *[other] Import { $count } changes
}
## Closing a month
close-month = Close
close-title = Close { $month }
close-scope-all = all departments
close-scope-sites = all departments of all sites
close-scope-site = all departments of { $site }
close-scope-department = { $department } only
close-running = It can be closed once its last day is over.
close-empty = No day of it has been judged, so there is nothing to close.
close-is-closed = It is closed. Its reports stay as they are, whatever arrives later.
close-open = What is still open
close-open-unjudged = Days being judged
close-open-unreported = Days never judged
close-open-unreported-hint = they are judged before it is closed
close-judged-first = The days that were never judged are judged first. That takes a moment; then it can be closed.
close-unreported = { $count ->
    [one] { $count } day had never been judged and is judged now. Close it again in a moment.
   *[other] { $count } days had never been judged and are judged now. Close it again in a moment.
}
close-open-exceptions = Exceptions
close-open-provisional = Days that may still change
close-open-requests = Requests without an answer
close-decide = Decide
close-refused = { $count ->
    [one] 1 thing is open. Decide it, or close with a written waiver.
   *[other] { $count } things are open. Decide them, or close with a written waiver.
}
close-unjudged = { $count ->
    [one] 1 day is being judged. Try again in a moment.
   *[other] { $count } days are being judged. Try again in a moment.
}
close-waiver = Waiver
close-waiver-hint = Why it is closed all the same. Kept with the period, under your name: { $name }.
close-nothing-open = Nothing is open. What arrives later changes no report of it and is listed here.
close-done = { $month } is closed.
close-done-text = What arrives later is listed under changes after close.
close-periods = Closed and opened again
close-days = { $from } to { $to }
close-closed-by = Closed on { $date } by { $name }.
close-of-department = { $department }: { $closed }
close-waived = { $count ->
    [one] 1 thing was open, waived: { $reason }
   *[other] { $count } things were open, waived: { $reason }
}
close-reopened-by = Opened again on { $date } by { $name }: { $reason }
close-reopen = Open again
close-reopen-reason = Reason for opening it again
close-reopen-hint = Every version of its reports is kept. Shown here, with your name.
close-reopened = The period is open again.
close-reopened-text = Its days are judged again in a moment.
close-later = Later evidence is listed under changes after close.
close-changed = Changes after close
close-changed-sub = what the evidence says differently now
close-stays = Closed as
close-differs = Differs now
differs-early_min = leaving early
differs-exceptions = exceptions
differs-first_in = first in
differs-last_out = last out
differs-late_min = lateness
differs-night_min = night
differs-overtime_min = overtime
differs-status = status
differs-worked_min = worked time

## Days that need a decision
nav-exceptions = Exceptions
exceptions-count = { $count ->
    [0] nothing waits
    [one] 1 day waits
   *[other] { $count } days wait
}
exceptions-waiting = Waiting
exceptions-order = earliest first
exceptions-more = { $count ->
    [one] 1 more day comes after these.
   *[other] { $count } more days come after these.
}
exceptions-none = No open exceptions.
exceptions-why = Why
exceptions-void-hint = A wrong punch is voided in the list of punches below.
exceptions-keys = Keys: J or E next, K previous, P add punch, L leave, D on duty, W why.
exceptions-keys-on = Keys on
away-leave = Leave
away-on_duty = On duty
away-add-leave = Add leave
away-add-on_duty = Add duty elsewhere
away-added-leave = The leave is entered.
away-added-on_duty = The duty is entered.
away-from = From
away-to = To
away-to-hint = The last day of it.
leave-ends-before = This is before the first day. Choose the first day or a later one.
away-days-wrong = Choose a day at most a year after the first.
away-part = Part of the day
away-part-full = Whole days
away-part-first_half = First half
away-part-second_half = Second half
away-type = Kind of leave

## Requests
nav-requests = Requests
nav-team = My team
nav-me = My days
team-empty = You lead no department yet, or nobody works in it.
requests-count = { $count ->
    [0] nothing waits for an answer
    [one] 1 waits for an answer
   *[other] { $count } wait for an answer
}
requests-open = Waiting
requests-answered = Answered
requests-none = No open requests.
request-add_punch = Add punch { $time } on { $date }
request-void_punch = Void a punch on { $date }
request-leave-day = Leave on { $date }
request-leave-days = Leave from { $from } to { $to }
request-on_duty-day = On duty on { $date }
request-on_duty-days = On duty from { $from } to { $to }
request-open = Waits for an answer
request-approved = Approved by { $name }
request-rejected = Rejected by { $name }: { $answer }
request-withdrawn = Withdrawn
request-own = It is your own, so somebody else has to answer it.
request-refused = It cannot be approved any more: the day or the punch has changed since. Reject it with a reason.
request-reject-reason = Reason of a rejection
request-reject-hint = Shown to whoever asked. An approval needs none.
request-approve = Approve
request-reject = Reject
request-done-approved = The request is approved.
request-done-rejected = The request is rejected.
request-done-told = Whoever asked sees your reason.
requests-keys = Keys: A approve, R reject, J next, K previous, W why.
me-today = Today
me-no-requests = You have asked for nothing yet.
me-no-punches = No punch in this month.
ask-add_punch = Ask for a punch
ask-void_punch = Ask to void a punch
ask-leave = Ask for leave
ask-on_duty = Ask for duty elsewhere
ask-text = Nothing changes until somebody approves it.
ask-reason-hint = Shown to whoever answers, and with the day once it is approved.
ask-send = Send request
ask-sent = The request is sent.
ask-sent-text = You see the answer here.
ask-withdraw = Withdraw
ask-withdrawn = The request is withdrawn.
ask-withdrawn-text = Nothing has changed.
ask-answered = The request is answered already.
ask-answered-text = Nothing was withdrawn.
ask-wrong = Is it wrong?

## Users
nav-users = Users
users-count = { $count ->
    [one] 1 account
   *[other] { $count } accounts
}
users-roles = Roles
role-owner-may = sees everything, closes months, makes every account
role-hr-may = people, plans, corrections, payroll
role-it-may = terminals, device users, accounts
role-manager-may = the days and requests of the departments led
role-employee-may = the own days, and asks for corrections and leave
users-leads = Leads
users-leads-hint = Only as manager. Who has no department is in the one of the site.
users-employee = Employee
users-signed-in = Last signed in
users-never = never
users-is-off = Disabled
users-add = Add an account
users-add-text = Muster sends no mail. You get a link, once, for you to hand on; by it the person chooses a password.
users-add-button = Add and make a link
users-email-hint = They sign in with it.
users-code = Code of the employee
users-code-hint = Whose account it is; empty for somebody who does not punch.
users-code-missing = The role Employee needs the code of the employee.
users-name-missing = Enter a name.
users-role-missing = Choose at least one role.
users-link = Link
users-link-title = Hand this link to { $name }.
users-link-text = It is shown only now, works once and until { $until }, and links made before it no longer work. Whoever opens it can sign in as this person.
users-link-new = Password forgotten, or link lost
users-link-new-text = By a new link the person chooses another password. Until then the present one holds.
users-link-make = Make a link
users-no-link = No link was made.
users-disable-title = Left, or should not sign in any more
users-disable-text = Signed out at once. The account keeps its roles, and everything done with it keeps its name.
users-disable = Disable
users-disabled = { $name } cannot sign in any more.
users-disabled-text = Links that were made are void.
users-not-disabled = Nothing was changed.
users-is-disabled = This account is disabled: nobody can sign in with it.
users-enable = Enable
users-enabled = { $name } may sign in again.
users-enabled-text = With the password it had, or by a new link.
users-saved = The account is saved.
users-above = Only an owner, or somebody with the same roles, changes this account.
