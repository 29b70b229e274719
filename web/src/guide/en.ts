import type { Guide } from './chapter'

export const en: Guide = {
  everybody: [
    {
      id: 'sign-in',
      title: 'The first time on a device',
      text: ['The first time needs a network: the browser fetches the program (about 2 MB) and your unit’s records. After that the daily work goes on without one.'],
      steps: [
        'Open your unit’s Wardbook address in Chrome, Cốc Cốc, Edge or Firefox, outside private mode.',
        'Type your account’s name and password. A new device may need an enrolment code from an administrator.',
        'On somebody else’s device tick “Borrowed device”: when you sign out, your data is removed from it.',
        'Add the page to the home screen, to open it quickly and so that the browser keeps the data for long.',
      ],
      after: 'Records arrive little by little; you can search from the first ones on. Data on the device is encrypted. It locks itself after 10 minutes without a touch; your password opens it again without a network.',
      picture: { name: 'sign-in', alt: 'The sign-in screen with name, password and “Borrowed device”.' },
    },
    {
      id: 'find',
      title: 'Find somebody',
      text: ['Marks may be left out: “dang thi” finds Đặng Thị. Names, personal numbers, addresses and household numbers are searched. As long as a register is here in part, the line below the box says how many records were searched, and offers the server’s.'],
      steps: ['Choose a register on the first page.', 'Type some letters into the search box.', 'Touch the row to open it.'],
      after: 'With an identity card at hand: press “Scan a card”. A bearer with a record has it opened, with the differences above it; otherwise a new form is filled in. The card’s picture is not kept.',
      picture: { name: 'find', alt: 'A list of residents searched by “dang thi”.' },
    },
    {
      id: 'edit',
      title: 'Change and save, with a network or without',
      text: ['“Save” writes to the device at once. Four strokes beside the name say how far a record has come: on this device, received by the server, approved, at the city’s hub. The words beside them say what the strokes draw.'],
      steps: [
        'Change what is to be changed. What you type is put on the device whenever you pause, even if it is switched off.',
        'Press “Save” (Ctrl+S on a PC).',
        'When the record is complete, press “Save and submit” (Ctrl+Enter). If something is missing, the screen points at it and keeps what you typed.',
      ],
      after: 'If only the year of a birth is known, type 1958; with its month, 03/1958. For a number masked by dots press “Reveal”; who looked is written in the audit log. For a paper copy press “Print”.',
      picture: { name: 'edit', alt: 'A record saved without a network; the first of four strokes is filled.' },
    },
    {
      id: 'status',
      title: 'The line at the foot of the screen',
      text: ['This line always tells the truth about your work on this device. Touch it for more.'],
      steps: [
        'Green “Synced 14:32”: the server has received all your work, and the device has all records.',
        'Amber “Changes not sent: 3”: the server has not received three changes. They go by themselves when there is a network; you need do nothing.',
        'Blue: sending or receiving.',
        'Red: something that you have to do; the words say what.',
      ],
      after: 'If there is no network for days: in the details press “Save unsent work to a rescue file”, and hand that file in from any device with a network. Handed in twice, it is taken once.',
      picture: { name: 'status', alt: 'The sheet about this device’s data, opened from the line at the foot.' },
    },
    {
      id: 'conflict',
      title: 'Two people change one field',
      text: ['Changes of different fields are put together by themselves. When two change the same one, both values are kept, with who and when, until somebody chooses.'],
      steps: ['Open “To settle”.', 'See who wrote what, and when.', 'Press “Choose” at the right value, or type another.'],
      after: 'The value that was not taken stays in “History” and can be brought back.',
      picture: { name: 'conflict', alt: 'A field with the values of two officers, each with a button to take it.' },
    },
    {
      id: 'returned',
      title: 'A record comes back',
      text: ['A supervisor returns a record with a reason and the fields to look at again; those are marked in amber.'],
      steps: ['Open “To settle”, then what was returned.', 'Change the fields in question, or write an answer.', 'Press “Save and submit” again.'],
    },
    {
      id: 'tally',
      title: 'My work',
      text: [
        '“My work” on the first page says how far your work of today, this week and this month has come. The server counts it from the records’ history; you and your supervisor see the same numbers.',
        'What is counted is a piece: one person’s work on one record, from its writing to the decision about it. Saved or handed in several times, it is still one. A change of an existing record counts once it was handed in.',
      ],
      steps: [
        '“Entered”: by the day of writing on the device. “Received by the server”: by the day of receipt; the rows after it are of these.',
        '“On time”: every part of the piece was received within 24 hours of its writing, by the device’s clock and the server’s. “Overdue”: the rest, also if the device’s clock was 24 hours ahead or more.',
        '“Approved first time”: approved, and never returned, refused in part, or withdrawn.',
        '“Returned at some time”: also if it was completed and approved afterwards.',
      ],
      after: 'Without a network the table is what the server told last, with its time. Work that is still on this device is named apart and is in no number.',
    },
    {
      id: 'leave',
      title: 'Leaving a device, losing a device',
      text: ['Before you leave it, choose “Lock now” under your name in the upper corner. Unsent work is not lost.'],
      steps: [
        'Lost it: tell a supervisor or an administrator at once. It is shut out; without the password nobody reads what is on it.',
        'Sign in on another device: what the server has received is there at once.',
        'Found again, or broken but it still starts: unsent work lies in a sealed rescue file, which hands itself in when there is a network.',
      ],
    },
  ],
  supervisors: [
    {
      id: 'desk',
      title: 'Review records',
      text: ['“Review” shows the queue beside the open record. Each change puts the approved value beside the new one, with its author. A reload comes back to the same place.'],
      steps: [
        'j and k: next and previous record.',
        'a: approve. r: return, with a reason and the fields to look at again. x: refuse, with a reason.',
        '?: all keys.',
      ],
      after: 'What is approved is exactly what was on the screen: if the record has just changed, the approval is refused and shown again. Approving a deletion is always asked about once more.',
      picture: { name: 'desk', wide: true, alt: 'The queue at the left, the changed fields of one record at the right.' },
    },
    {
      id: 'devices',
      title: 'The unit’s devices',
      text: ['“Devices” puts the one with the oldest unsent work first: a device that has been silent for days should be asked after.'],
      steps: ['A lost device: press “Report lost”, then confirm.', 'See when the server last received from it, and how much unsent work it last reported.'],
      after: 'Should a lost device come online again, its unsent work goes to “Quarantine” for you to look at: none of it is dropped, and nothing enters the register by itself. Drafts (forms that were not saved) are gone with the device.',
      picture: { name: 'devices', wide: true, alt: 'The unit’s devices with what was last received and a button to report one lost.' },
    },
    {
      id: 'officers',
      title: 'The officers’ work',
      text: ['Under “Today” press “The officers’ work”: the table of each officer of the unit. “Download as a table (CSV)” saves them as one file for a spreadsheet program. It names people and is not encrypted: keep it and pass it on like any internal paper.'],
    },
    {
      id: 'held',
      title: 'Quarantine',
      text: ['Changes from a device that was shut out, beyond somebody’s rights, or deleting unusually much are held here. “Let it in” writes them again under your name, naming their author; “Reject” keeps them in the history, with the reason.'],
    },
    {
      id: 'erase',
      title: 'Erasure by law',
      text: ['Where the law demands that a record be destroyed, open it at the desk and press “Erase by law…” at its end. A second supervisor or an administrator confirms under “Erasure by law” (at the desk, below the filters; “Erase” in the administrator’s menu); after that nobody can bring it back. The same screen shows how many devices have let go of it.'],
    },
  ],
  troubles: [
    { when: 'No network all day', what: 'Carry on. The line at the foot counts what is not sent; it goes by itself when there is a network.' },
    { when: 'The password is forgotten', what: 'An administrator sets a new one. Sign in over the network on the very same device: data and unsent work are still there.' },
    { when: 'The screen says that it cannot save', what: 'The form is still on the screen. Read why, make room on the device, and press “Save” again; or put unsent work into a rescue file.' },
    { when: 'The device says that its data is gone', what: 'The browser has cleared the store. Sign in over the network to receive again what the server has; the sealed copy of unsent work, if it is left, hands itself in.' },
    { when: 'Somebody who must be there is not found', what: 'Look below the search box: the register may be here in part. Search on the server before you make a new record.' },
  ],
}
