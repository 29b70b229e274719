import './app'
import { loaded } from './loading'
import { setLang, lang } from './text'
import { register } from './update'

setLang(lang())
void register(loaded)
