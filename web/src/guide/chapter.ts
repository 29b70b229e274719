/** One thing that people do, and how. */
export interface Chapter {
  id: string
  title: string
  text: string[] // paragraphs
  steps?: string[]
  after?: string // what to know once it is done
  picture?: { name: string; wide?: boolean; alt: string } // pictures/NAME-LANGUAGE.webp, made by journey-guide
}

/** The guide of one language: what everybody needs, then what supervisors need. */
export interface Guide { everybody: Chapter[]; supervisors: Chapter[]; troubles: { when: string; what: string }[] }
